import type { HealthReport } from "../operations/health.ts";
import type { StackWithCredentials } from "./stack.ts";

/** Checks the health of a stack by what its outputs say. */
export async function examine(
  {
    target,
    credentials,
    trust,
    thresholds,
    backupSchedule: schedule,
    backupFolder: folder,
  }: StackWithCredentials,
  full: boolean,
): Promise<HealthReport> {
  const { checkHealth } = await import("../operations/health.ts");
  return await checkHealth(target, {
    ...{ credentials, full },
    ...(trust === undefined ? {} : { trust }),
    ...(thresholds === undefined ? {} : { thresholds }),
    ...(schedule === undefined ? {} : { backup: { schedule, ...(folder === undefined ? {} : { folder }) } }),
  });
}
