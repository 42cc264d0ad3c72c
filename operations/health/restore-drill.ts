import type { DrillResult } from "../../agent/drill.ts";
import type { HealthCheck } from "./check.ts";
import { type Finding, formatSeconds } from "./report.ts";

/** Weekly drills that were missed for longer than this are told. */
const STALE_SECONDS = 15 * 86_400;

/** The last proof that a backup can be restored. Value: its age in seconds. */
export const restoreDrill: HealthCheck = {
  name: "restore drill",
  quick: false,
  async run({ backup, backupFolder, now }) {
    if (backup === undefined) return { status: "not applicable", message: "no backups are scheduled" };
    return evaluateDrill((await backupFolder()).drill, now);
  },
};

/** Judges the last drill; a stack that is too young for one is not blamed. */
export function evaluateDrill(drill: DrillResult | undefined, now: Date): Finding {
  if (drill === undefined)
    return { status: "not applicable", message: "none yet: pgstack drill does one now" };
  const seconds = Math.round((now.getTime() - Date.parse(drill.at)) / 1_000);
  const age = `${formatSeconds(Math.max(0, seconds))} ago`;
  if (drill.result === "failed") {
    return {
      status: "failed",
      message: `the last one, ${age}, failed: ${drill.message ?? ""}`,
      value: seconds,
    };
  }
  const rto = `restored in ${formatSeconds(Math.ceil(drill.rtoSeconds ?? 0))}`;
  if (seconds > STALE_SECONDS) {
    return { status: "warning", message: `the last one is ${age}: look at the agent's log`, value: seconds };
  }
  return { status: "ok", message: `${rto}, ${age}`, value: seconds };
}
