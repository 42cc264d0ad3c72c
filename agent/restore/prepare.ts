import { mkdir, rename, rm } from "node:fs/promises";
import { join } from "node:path";
import type { AgentConfiguration } from "../configuration.ts";
import type { Context } from "../context.ts";
import type { BackupEntry } from "../entry.ts";
import { messageOf, Refusal } from "../failure.ts";
import { archiveGaps, nextSegment } from "../physical/archive.ts";
import { pgbackrest, repositoryConfigurationFile } from "../physical/pgbackrest.ts";
import { psql, query } from "../sql.ts";
import { checkDatabase } from "../verification/checks.ts";
import { type TableContent, tableContents } from "../verification/tables.ts";
import {
  amcheck,
  recoveryParameters,
  type TemporaryServer,
  untilAnswering,
  untilPaused,
  withTemporaryServer,
} from "./cluster.ts";
import { describeTarget, type RecoveryTarget } from "./target.ts";
import { backupsFor } from "./window.ts";

/** How a cluster is made from a backup and the archive. */
export interface PrepareOptions {
  /** Folder for the cluster; it must not exist. */
  readonly directory: string;
  readonly target: RecoveryTarget;
  /**
   * `pause`: recovered to the target and stopped there, so that the server that starts on it next ends the recovery and
   * archives its new timeline. `promote`: a cluster of its own.
   */
  readonly end: "pause" | "promote";
}

/** A cluster that was recovered and checked. */
export interface PreparedCluster {
  readonly backup: string;
  /** The last record that was replayed. */
  readonly lsn: string;
  /** The last commit that is in it; absent when none came after the backup. */
  readonly lastCommitAt?: string;
  readonly systemIdentifier: string;
  readonly tables: readonly TableContent[];
  /** Seconds until the first query was answered. */
  readonly secondsToFirstQuery: number;
}

/**
 * Makes a cluster as it was at the target, proves that recovery got there, and checks what is in it. Nothing but the
 * given folder is written to, and that is gone when anything fails.
 */
export async function prepareCluster(
  configuration: AgentConfiguration,
  options: PrepareOptions,
  context: Context,
): Promise<PreparedCluster> {
  const candidates = await backupsFor(configuration, options.target, context);
  let failure: unknown;
  for (const backup of candidates) {
    for (const timeline of TIMELINES) {
      try {
        return await recover(configuration, { backup, timeline }, options, context);
      } catch (error) {
        await rm(options.directory, { recursive: true, force: true });
        context.signal.throwIfAborted();
        // A transaction or a name may be older than the newest backup: recovery then never meets it.
        if (!(error instanceof NotReached)) throw error;
        failure ??= error;
      }
    }
  }
  throw failure;
}

/** Recovery came to the end of the archive before its target. */
class NotReached extends Refusal {}

/**
 * The backup's own timeline first: a restore that was undone has left a later one in the archive that leads nowhere.
 * Between a restore and the first backup after it, only the later one has what was written.
 *
 * Source: https://www.postgresql.org/docs/16/continuous-archiving.html#BACKUP-TIMELINES
 */
const TIMELINES = ["current", "latest"] as const;

async function recover(
  configuration: AgentConfiguration,
  { backup, timeline }: { readonly backup: BackupEntry; readonly timeline: (typeof TIMELINES)[number] },
  { directory, target, end }: PrepareOptions,
  context: Context,
): Promise<PreparedCluster> {
  const started = performance.now();
  context.step(`restoring backup ${backup.id}`, 0);
  await mkdir(directory, { mode: 0o700 });
  const { stanza, repositories } = configuration.physical;
  const [from = ""] = backup.repositories;
  const repository = repositories.indexOf(from) + 1;
  // Where the backup is, its archive is too.
  const archive = `pgbackrest --config=${repositoryConfigurationFile(configuration, from)} --stanza=${stanza}`;
  await pgbackrest(configuration, "restore", {
    options: [
      `--pg1-path=${directory}`,
      `--set=${backup.id}`,
      ...(repository > 0 ? [`--repo=${repository}`] : []),
      "--no-delta",
      ...targetOptions(target),
      ...timelineOptions(target, timeline),
      // For the server that goes on with the cluster.
      `--recovery-option=restore_command=${archive} archive-get %f "%p"`,
      "--recovery-option=recovery_target_action=promote",
      "--log-level-console=warn",
    ],
    context,
  }).catch((error: unknown) => {
    // Since this backup an earlier restore has begun the later timeline before it: that one leads nowhere from here.
    if (!/forked from backup timeline/.test(messageOf(error))) throw error;
    throw new NotReached(`${describeTarget(target)} cannot be reached from backup ${backup.id}`);
  });
  context.step(`replaying the write-ahead log to ${describeTarget(target)}`, 0.4);
  const parameters = {
    ...(await recoveryParameters(directory)),
    restore_command: `${archive} --pg1-path=${directory} archive-get %f "%p"`,
    ...(target.type === "latest" ? {} : { recovery_target_action: "pause" }),
  };
  const prepared = await withTemporaryServer(directory, parameters, context, async (server, ended) => {
    try {
      if (target.type === "latest") await untilReplayed(configuration, backup, server, ended, context);
      else await untilPaused(server, ended, context);
    } catch (error) {
      context.signal.throwIfAborted();
      throw await explained(error, configuration, { target, from, log: await server.log() }, context);
    }
    const secondsToFirstQuery = (performance.now() - started) / 1_000;
    const reached = await position(server, context);
    if (end === "promote") await psql(server, "SELECT pg_promote(true, 600);", context);
    context.step("checking what was restored", 0.7);
    const problems = end === "promote" ? await amcheck(server, context) : [];
    problems.push(
      ...(await checkDatabase(server, configuration.database, configuration.verification, context)),
    );
    if (problems.length > 0) {
      throw new Refusal(`what was restored does not stand its checks: ${problems.slice(0, 5).join("; ")}`);
    }
    const tables = await tableContents(server, configuration.database, configuration.verification, {
      context,
    });
    return { backup: backup.id, ...reached, tables, secondsToFirstQuery };
  });
  // The archive was seen to be whole to its end: there the next server may end its recovery.
  if (target.type === "latest" && end === "pause") {
    await rename(join(directory, "standby.signal"), join(directory, "recovery.signal"));
  }
  return prepared;
}

/** pgBackRest takes no timeline with the end of a backup, where PostgreSQL by itself would follow the latest. */
function timelineOptions(target: RecoveryTarget, timeline: string): string[] {
  return target.type === "backup"
    ? [`--recovery-option=recovery_target_timeline=${timeline}`]
    : [`--target-timeline=${timeline}`];
}

function targetOptions(target: RecoveryTarget): string[] {
  switch (target.type) {
    case "backup":
      return ["--type=immediate", "--target-action=promote"];
    case "latest":
      return ["--type=standby"];
    default:
      return [`--type=${target.type}`, `--target=${target.value}`, "--target-action=promote"];
  }
}

/** Without a target a server ends recovery at a gap as if all were well: so it is held until the last segment is in. */
async function untilReplayed(
  configuration: AgentConfiguration,
  backup: BackupEntry,
  server: TemporaryServer,
  ended: Promise<number>,
  context: Context,
): Promise<void> {
  await untilAnswering(server, ended, context);
  const missing = (await archiveGaps(configuration, context, backup.repositories[0])).flatMap(
    ({ segments }) => segments,
  );
  const { startWal = "" } = backup;
  const needed = missing.filter((segment) => segment >= startWal && segment.startsWith(startWal.slice(0, 8)));
  if (needed.length > 0) throw new Error(`segment ${needed[0]} is missing from the archive`);
  // A standby asks for what comes next again and again; two looks that find the same have seen all.
  let before = "";
  for (;;) {
    const [row] = await query<{ lsn: string | null }>(
      server,
      "SELECT pg_last_wal_replay_lsn()::text AS lsn FROM pg_sleep(1)",
      context,
    );
    if (row?.lsn === before) return;
    before = row?.lsn ?? "";
  }
}

async function position(
  server: TemporaryServer,
  context: Pick<Context, "signal">,
): Promise<Pick<PreparedCluster, "lsn" | "lastCommitAt" | "systemIdentifier">> {
  const [row] = await query<{ lsn: string; at: string | null; identifier: string }>(
    server,
    `SELECT pg_last_wal_replay_lsn()::text AS lsn,
            to_char(pg_last_xact_replay_timestamp() AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"') AS at,
            (SELECT system_identifier::text FROM pg_control_system()) AS identifier`,
    context,
  );
  if (row === undefined) throw new Error("the restored server does not tell how far it is");
  return {
    lsn: row.lsn,
    ...(row.at === null ? {} : { lastCommitAt: row.at }),
    systemIdentifier: row.identifier,
  };
}

async function explained(
  error: unknown,
  configuration: AgentConfiguration,
  { target, from, log }: { readonly target: RecoveryTarget; readonly from: string; readonly log: string },
  context: Context,
): Promise<unknown> {
  const message = messageOf(error);
  if (
    !/before configured recovery target was reached|WAL ends before|missing from the archive/.test(message)
  ) {
    return new Error(`recovery failed: ${message}`);
  }
  const latest = /last completed transaction was at log time (.+)/.exec(log)?.[1];
  const last = [...log.matchAll(/restored log file "([0-9A-F]{24})"/g)].at(-1)?.[1];
  const gaps = (await archiveGaps(configuration, context, from).catch(() => [])).flatMap(
    ({ segments }) => segments,
  );
  const next = last === undefined ? gaps[0] : nextSegment(last);
  const gap =
    next !== undefined && gaps.includes(next)
      ? `segment ${next} is missing from the archive`
      : "the archive ends before it";
  const reachable = latest === undefined ? "no commit after the backup" : latest;
  return new NotReached(
    `${describeTarget(target)} cannot be reached: ${gap}; the latest that can be reached is ${reachable}`,
  );
}
