import type { HealthCheck } from "./check.ts";
import type { Finding } from "./report.ts";

/** Settings that were changed and take effect only at a restart. Value: how many. */
export const pendingRestart: HealthCheck = {
  name: "settings pending restart",
  quick: false,
  async run({ session }) {
    const administrator = await session("administrator");
    const rows = await administrator.query<{ name: string }>(
      "select name from pg_settings where pending_restart order by name",
    );
    return evaluatePendingRestart(rows.map(({ name }) => name));
  },
};

/** Judges the names of waiting settings. */
export function evaluatePendingRestart(names: readonly string[]): Finding {
  return names.length === 0
    ? { status: "ok", message: "none", value: 0 }
    : {
        status: "warning",
        message: `in force only after a restart: ${names.join(", ")}`,
        value: names.length,
      };
}
