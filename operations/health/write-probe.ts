import { type HealthCheck, singleRow } from "./check.ts";
import type { Finding } from "./report.ts";

/** The application role writes its row of `pgstack.health_probe` and reads it back, committed. */
export const writeProbe: HealthCheck = {
  name: "write probe",
  quick: false,
  async run({ session }) {
    const application = await session("application");
    const { standby } = await singleRow<{ standby: boolean }>(
      application,
      "select pg_is_in_recovery() as standby",
    );
    if (standby) return evaluateWrite({ standby, rows: 0 });
    const rows = await application.query<{ at: string }>(
      `insert into pgstack.health_probe as probe (role, at) values (current_user, clock_timestamp())
       on conflict (role) do update set at = excluded.at returning probe.at::text`,
    );
    return evaluateWrite({ standby, rows: rows.length });
  },
};

/** Judges what the write left. */
export function evaluateWrite({ standby, rows }: { standby: boolean; rows: number }): Finding {
  if (standby) return { status: "not applicable", message: "a standby takes no writes" };
  return rows === 1
    ? { status: "ok", message: "a row was written and committed" }
    : { status: "failed", message: `the write changed ${rows} rows instead of one` };
}
