import { type HealthCheck, singleRow } from "./check.ts";
import type { Finding } from "./report.ts";
import { type HealthThresholds, judge } from "./thresholds.ts";

/** Connections in use, against those that ordinary roles may have. */
export interface ConnectionUse {
  readonly used: number;
  readonly maximum: number;
  /** Kept for superusers and for roles with pg_use_reserved_connections. */
  readonly reserved: number;
}

/** How many more connections there may be. Value: connections left for ordinary roles. */
export const connectionHeadroom: HealthCheck = {
  name: "connection headroom",
  quick: true,
  async run({ session, thresholds }) {
    const use = await singleRow<{ used: number; maximum: number; reserved: number }>(
      await session("administrator"),
      `select (select count(*)::int from pg_stat_activity where backend_type = 'client backend') as used,
              current_setting('max_connections')::int as maximum,
              current_setting('superuser_reserved_connections')::int
                + coalesce(current_setting('reserved_connections', true)::int, 0) as reserved`,
    );
    return evaluateConnections(use, thresholds);
  },
};

/** Judges how many connections are left. */
export function evaluateConnections(
  { used, maximum, reserved }: ConnectionUse,
  { connections }: Pick<HealthThresholds, "connections">,
): Finding {
  const available = Math.max(1, maximum - reserved);
  const status = judge(used / available, connections);
  const advice = status === "ok" ? "" : ": close some, or raise maxConnections";
  return { status, message: `${used} of ${available} in use${advice}`, value: Math.max(0, available - used) };
}
