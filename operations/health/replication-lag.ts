import { SLOT } from "../../agent/stream/slot.ts";
import { formatBytes } from "../preflight/format-bytes.ts";
import { literal } from "../sql.ts";
import { type HealthCheck, singleRow } from "./check.ts";
import { type Finding, formatSeconds, worstStatus } from "./report.ts";
import { type HealthThresholds, judge } from "./thresholds.ts";

/** What the server says about replication. */
export interface Replication {
  /** The server itself is a standby: seconds since its last replayed commit while WAL waits, else 0. Null: it is a primary. */
  readonly ownLagSeconds: number | null;
  readonly standbys: readonly {
    readonly name: string;
    readonly lagSeconds: number;
    readonly lagBytes: number;
  }[];
  readonly slots: readonly {
    readonly name: string;
    readonly active: boolean;
    readonly retainedBytes: number;
    /** The server gave up the slot: its standby must be rebuilt. */
    readonly lost: boolean;
  }[];
}

/** How far standbys are behind and what slots hold back; the agent is told of by `recovery point`. Value: greatest lag in seconds. */
export const replicationLag: HealthCheck = {
  name: "replication lag",
  quick: false,
  async run({ session, thresholds }) {
    const { replication } = await singleRow<{ replication: Replication }>(
      await session("administrator"),
      `with position as (
         select pg_is_in_recovery() as standby,
                case when pg_is_in_recovery() then pg_last_wal_replay_lsn() else pg_current_wal_lsn() end as lsn)
       select json_build_object(
         'ownLagSeconds', case
           when not standby then null
           when pg_last_wal_receive_lsn() is not distinct from pg_last_wal_replay_lsn() then 0
           else coalesce(extract(epoch from now() - pg_last_xact_replay_timestamp()), 0) end,
         'standbys', (select coalesce(json_agg(json_build_object(
             'name', coalesce(nullif(application_name, ''), client_addr::text, pid::text),
             'lagSeconds', coalesce(extract(epoch from replay_lag), 0),
             'lagBytes', coalesce(pg_wal_lsn_diff(lsn, replay_lsn), 0))), '[]')
           from pg_stat_replication where state in ('streaming', 'catchup')
            and not exists (select from pg_replication_slots where slot_name = ${literal(SLOT)} and active_pid = pid)),
         'slots', (select coalesce(json_agg(json_build_object(
             'name', slot_name, 'active', active, 'lost', wal_status is not distinct from 'lost',
             'retainedBytes', greatest(coalesce(pg_wal_lsn_diff(lsn, restart_lsn), 0), 0))), '[]')
           from pg_replication_slots where not temporary and slot_name <> ${literal(SLOT)})) as replication
       from position`,
    );
    return evaluateReplication(replication, thresholds);
  },
};

/** Judges lag and slots; not applicable where nothing replicates. */
export function evaluateReplication(
  { ownLagSeconds, standbys, slots }: Replication,
  thresholds: Pick<HealthThresholds, "replicationLagSeconds" | "retainedWalBytes">,
): Finding {
  if (ownLagSeconds === null && standbys.length === 0 && slots.length === 0) {
    return { status: "not applicable", message: "no standby and no replication slot" };
  }
  const lag = (name: string, seconds: number): Finding => ({
    status: judge(seconds, thresholds.replicationLagSeconds),
    message: `${name} is ${formatSeconds(seconds)} behind`,
  });
  const findings: Finding[] = [
    ...(ownLagSeconds === null ? [] : [lag("this standby", ownLagSeconds)]),
    ...standbys.map(({ name, lagSeconds }) => lag(name, lagSeconds)),
    ...slots.map((slot): Finding => {
      if (slot.lost) return { status: "failed", message: `slot ${slot.name} is lost: rebuild its standby` };
      const held = `slot ${slot.name} ${slot.active ? "" : "(unused) "}holds ${formatBytes(slot.retainedBytes)} of WAL`;
      return { status: judge(slot.retainedBytes, thresholds.retainedWalBytes), message: held };
    }),
  ];
  const status = worstStatus(findings);
  const seconds = Math.max(ownLagSeconds ?? 0, ...standbys.map(({ lagSeconds }) => lagSeconds));
  const said = findings.filter((finding) => finding.status === status).map(({ message }) => message);
  return { status, message: said.join("; "), value: Math.round(seconds) };
}
