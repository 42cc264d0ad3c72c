import { existsSync } from "node:fs";
import { mkdir, rm } from "node:fs/promises";
import { join } from "node:path";
import { asOf } from "../as-of.ts";
import type { AgentConfiguration } from "../configuration.ts";
import type { Context } from "../context.ts";
import type { BackupEntry } from "../entry.ts";
import { messageOf, Refusal } from "../failure.ts";
import { ArchivedLog } from "../lineage/archived-log.ts";
import { type Chain, eitherOf, lastTimeline, missingSegments, segmentsNamed } from "../lineage/chain.ts";
import { pgbackrest, restoreCommand } from "../physical/pgbackrest.ts";
import {
  lsnNumber,
  nextSegment,
  SEGMENT_BYTES,
  segmentAt,
  segmentName,
  segmentStart,
} from "../physical/segments.ts";
import { readPlain } from "../plain-file.ts";
import { ProgramFailed, run } from "../program.ts";
import { withSandboxedServer } from "../sandbox/server.ts";
import type { Supplier } from "../sandbox/supply.ts";
import { psql, query } from "../sql.ts";
import { isRecordWhole } from "../stream/record.ts";
import { NOTHING_STAGED, type StagedLog, stageReceived } from "../stream/stage.ts";
import { removeRecoverySettings } from "./automatic-settings.ts";
import {
  clusterIdentifier,
  clusterTimeline,
  LowerParameter,
  lastError,
  OWN,
  type Parameters,
  recoveryParameters,
  refuseLowerParameter,
  type TemporaryServer,
  untilAnswering,
  untilPaused,
  withTemporaryServer,
} from "./cluster.ts";
import { type Inspection, inspectCluster } from "./inspect.ts";
import { planRecovery, type RecoveryPlan } from "./plan.ts";
import { describeTarget, type RecoveryTarget } from "./target.ts";

/** How a cluster is made from a backup and the archive. */
export interface PrepareOptions {
  /** Folder for the cluster; it must not exist. */
  readonly directory: string;
  readonly target: RecoveryTarget;
  /** It is to take the place of the stack's own cluster. Default: it is looked at and thrown away, or another stack's. */
  readonly inPlace?: boolean;
  /** Take a backup that failed verification, to verify it again. */
  readonly failedToo?: boolean;
}

/** A cluster that was recovered and checked; what to make of the problems that were found is for the caller. */
export interface PreparedCluster extends Inspection {
  readonly backup: string;
  /** Where that backup is. */
  readonly repository?: string;
  /** The timelines that recovery followed; absent in what an earlier version has prepared. */
  readonly chain?: Chain;
  /** The last of them. */
  readonly timeline: number;
  /** The one that it has begun there; absent in what an earlier version has prepared. */
  readonly ownTimeline?: number;
  /** The last record that was replayed. */
  readonly lsn: string;
  /** The last commit that is in it; absent when none came after the backup. */
  readonly lastCommitAt?: string;
  readonly systemIdentifier: string;
  /** Seconds until the first query was answered. */
  readonly secondsToFirstQuery: number;
}

/**
 * Makes a cluster as it was at the target, proves that recovery got there, and checks what is in it. Nothing but the
 * given folder is written to, and that is gone when recovery fails.
 */
export async function prepareCluster(
  present: AgentConfiguration,
  options: PrepareOptions,
  context: Context,
): Promise<PreparedCluster> {
  const configuration = asOf(present, options.target.repositoryTime);
  const plan = await planRecovery(configuration, options.target, context, options);
  let failure: unknown;
  for (const base of plan.bases) {
    try {
      return await recover(configuration, base, plan, options, context);
    } catch (error) {
      await rm(options.directory, { recursive: true, force: true });
      context.signal.throwIfAborted();
      if (!(error instanceof BaseDamaged || (error instanceof NotReached && plan.searching))) throw error;
      failure ??= error;
      context.step(`${messageOf(error)}: trying the backup before it`);
    }
  }
  throw failure;
}

/** What a server says of a base that is not whole. */
const DAMAGE =
  /invalid page|could not (locate|find).*checkpoint|could not read (block|blocks)|unexpected pageaddr/i;

/** Recovery came to the end of the archive before its target. */
class NotReached extends Refusal {}

/** The backup itself cannot be restored: an older one, with the log since, leads to the same place. */
class BaseDamaged extends Refusal {}

async function recover(
  configuration: AgentConfiguration,
  base: BackupEntry,
  plan: RecoveryPlan,
  options: PrepareOptions,
  context: Context,
): Promise<PreparedCluster> {
  const started = performance.now();
  const { target, chain } = plan;
  const { directory, inPlace = false } = options;
  const [from = ""] = base.repositories;
  let staged = await restoreFiles(configuration, { base, plan, directory }, context);
  const parameters: Parameters = {
    ...(await recoveryParameters(directory)),
    ...(target.type === "latest" ? {} : { recovery_target_action: "pause" }),
    // What is complete of the timeline that begins here is marked so, for the stack's server to hand over.
    ...(inPlace ? { archive_mode: "on", archive_command: "" } : {}),
  };
  const sandbox = inPlace ? undefined : configuration.sandboxDirectory;
  const server = async <Value>(values: Parameters, work: Work<Value>): Promise<Value> => {
    if (sandbox === undefined) {
      const command = restoreCommand(configuration, from, directory);
      return withTemporaryServer(directory, { ...values, restore_command: command }, context, work);
    }
    // One that was in the sandbox is gone.
    if (!existsSync(directory))
      staged = await restoreFiles(configuration, { base, plan, directory }, context);
    const supplier = supplierFrom(configuration, from, context);
    return withSandboxedServer(
      sandbox,
      { cluster: directory, parameters: { ...OWN, ...values }, supplier },
      context,
      work,
    );
  };
  context.step(`replaying the write-ahead log to ${describeTarget(target)}`, 0.4);
  const prepared = await withEnough<PreparedCluster>(parameters, server, async (server, ended) => {
    try {
      if (target.type === "latest") {
        await untilReplayed(configuration, { base, chain, from, staged }, server, ended, context);
      } else await untilPaused(server, ended, context);
    } catch (error) {
      context.signal.throwIfAborted();
      if (error instanceof LowerParameter) throw error;
      throw await explained(error, configuration, { plan, base, from, log: await server.log() }, context);
    }
    const secondsToFirstQuery = (performance.now() - started) / 1_000;
    const reached = await position(server, context);
    const promote = () => psql(server, "SELECT pg_promote(true, 600);", context);
    if (!inPlace) await promote();
    context.step("checking what was restored", 0.7);
    const inspection = await inspectCluster(configuration, server, !inPlace, context);
    if (inPlace) await promote();
    const timeline = lastTimeline(chain);
    return {
      backup: base.id,
      repository: from,
      chain,
      timeline,
      ...reached,
      ...inspection,
      secondsToFirstQuery,
    };
  });
  if (sandbox !== undefined) return prepared;
  await removeRecoverySettings(directory);
  return { ...prepared, ownTimeline: await clusterTimeline(directory) };
}

/** Supplies the sandbox, which does not have the archive. */
function supplierFrom(configuration: AgentConfiguration, repository: string, { signal }: Context): Supplier {
  return async (name, path, control) => {
    const command = restoreCommand(configuration, repository, control);
    const filled = command.replaceAll("%f", name).replaceAll("%p", path);
    return (await run("sh", ["-c", filled], { signal })).exitCode;
  };
}

/** Puts a backup's files into a folder, and with them what was received of the log and is not in the archive. */
async function restoreFiles(
  configuration: AgentConfiguration,
  {
    base,
    plan,
    directory,
  }: { readonly base: BackupEntry; readonly plan: RecoveryPlan; readonly directory: string },
  context: Context,
): Promise<StagedLog> {
  const { target, chain } = plan;
  context.step(`restoring backup ${base.id}`, 0);
  await mkdir(directory, { mode: 0o700 });
  const [from = ""] = base.repositories;
  const repository = configuration.physical.repositories.indexOf(from) + 1;
  await pgbackrest(configuration, "restore", {
    options: [
      `--pg1-path=${directory}`,
      `--set=${base.id}`,
      ...(repository > 0 ? [`--repo=${repository}`] : []),
      "--no-delta",
      ...targetOptions(target),
      ...(plan.exclusive ? ["--target-exclusive"] : []),
      ...timelineOptions(target, lastTimeline(chain)),
      "--log-level-console=warn",
    ],
    context,
  }).catch((error: unknown) => {
    if (!(error instanceof ProgramFailed) || context.signal.aborted) throw error;
    throw new BaseDamaged(`backup ${base.id} cannot be restored: ${error.message}`);
  });
  if (target.type === "backup") return NOTHING_STAGED;
  return stageReceived(configuration, {
    ...{ directory, chain, from: base.startWal ?? "" },
    systemIdentifier: await clusterIdentifier(directory),
  });
}

type Work<Value> = (server: TemporaryServer, ended: Promise<number>) => Promise<Value>;

/** There are five such parameters, and the server is not to be believed for ever. */
const MOST_RAISES = 10;

/** Has recovery go on from where it was, with more, when the source had a parameter raised after the backup. */
async function withEnough<Value>(
  parameters: Parameters,
  server: (parameters: Parameters, work: Work<Value>) => Promise<Value>,
  work: Work<Value>,
  tries = MOST_RAISES,
): Promise<Value> {
  try {
    return await server(parameters, work);
  } catch (error) {
    if (!(error instanceof LowerParameter)) throw error;
    const { parameter, value } = error;
    if (Number(parameters[parameter] ?? 0) >= value || tries === 0) throw error;
    return withEnough({ ...parameters, [parameter]: value }, server, work, tries - 1);
  }
}

/** pgBackRest takes no timeline with the end of a backup, where PostgreSQL by itself would follow the latest. */
function timelineOptions(target: RecoveryTarget, timeline: number): string[] {
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

/** Where everything is that `restore --latest` replays. */
interface WholeLog {
  readonly base: BackupEntry;
  readonly chain: Chain;
  /** The repository with the archive. */
  readonly from: string;
  readonly staged: StagedLog;
}

/**
 * Without a target a server ends its recovery at a gap as if all were well: so it is held as a standby until it has come to
 * the end of what was archived and received, and waits for more.
 */
async function untilReplayed(
  configuration: AgentConfiguration,
  { base, chain, from, staged }: WholeLog,
  server: TemporaryServer,
  ended: Promise<number>,
  context: Context,
): Promise<void> {
  const range = { chain, id: base.archiveId, from: base.startWal ?? "" };
  const archived = await ArchivedLog.open(configuration, from, range, context);
  const [missing] = missingSegments(eitherOf(archived, segmentsNamed(staged.names)), chain, range.from);
  if (missing !== undefined) throw new Error(`segment ${missing} is missing from the archive`);
  await untilAnswering(server, ended, context);
  const timeline = lastTimeline(chain);
  const last = eitherOf(archived, segmentsNamed(staged.whole)).last(timeline);
  const fork = chain.at(-2)?.until ?? "0/0";
  let before = "";
  let since = performance.now();
  let over = false;
  void ended.then(() => {
    over = true;
  });
  for (;;) {
    context.signal.throwIfAborted();
    await refuseLowerParameter(server);
    if (over) throw new Error(lastError(await server.log()));
    const [row] = await query<{ lsn: string | null; idle: boolean }>(
      server,
      `SELECT pg_last_wal_replay_lsn()::text AS lsn,
              EXISTS (SELECT FROM pg_stat_activity WHERE backend_type = 'startup' AND wait_event = 'RecoveryRetrieveRetryInterval') AS idle
         FROM pg_sleep(0.2)`,
      context,
      // A busy machine may be slow to let a session in, and one that recovers may end it.
    ).catch(() => []);
    const lsn = row?.lsn ?? "0/0";
    const archiveDone = segmentAt(lsn) >= last && lsnNumber(lsn) >= lsnNumber(fork);
    if (row?.idle === true && archiveDone && !(await isMoreReceived(server, timeline, lsn, staged))) return;
    if (lsn !== before) since = performance.now();
    before = lsn;
    if (row?.idle === true && performance.now() - since > STUCK_MILLISECONDS) {
      throw new Error(
        archiveDone
          ? `the received log is damaged at ${lsn}: --lsn ${lsn} recovers up to there`
          : `segment ${segmentName(timeline, segmentAt(lsn))} is missing from the archive`,
      );
    }
  }
}

/** Whether a whole record was received behind the last one that was replayed. */
async function isMoreReceived(
  { dataDirectory }: Pick<TemporaryServer, "dataDirectory">,
  timeline: number,
  replayed: string,
  { until }: StagedLog,
): Promise<boolean> {
  if (until === undefined || lsnNumber(replayed) >= until) return false;
  const pieces: Buffer[] = [];
  const first = segmentAt(replayed);
  for (let number = first; segmentStart(number) < until; number += 1) {
    const path = join(dataDirectory, "pg_wal", segmentName(timeline, number));
    // Replay has not had it yet.
    if (!existsSync(path)) return true;
    pieces.push(await readPlain(path, SEGMENT_BYTES));
  }
  const received = Buffer.concat(pieces).subarray(0, Number(until - segmentStart(first)));
  return isRecordWhole(received, Number(lsnNumber(replayed) - segmentStart(first)));
}

/** A standby asks the archive again every five seconds: by then it has done so many times. */
const STUCK_MILLISECONDS = 60_000;

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

/** What tells why a recovery ended too early. */
interface Explanation {
  readonly plan: RecoveryPlan;
  readonly base: BackupEntry;
  /** The repository with the archive. */
  readonly from: string;
  /** The server's. */
  readonly log: string;
}

async function explained(
  error: unknown,
  configuration: AgentConfiguration,
  { plan, base, from, log }: Explanation,
  context: Context,
): Promise<unknown> {
  const { target, possible } = plan;
  const message = messageOf(error);
  if (DAMAGE.test(message)) return new BaseDamaged(`recovery failed: ${message}`);
  if (
    !/before configured recovery target was reached|WAL ends before|missing from the archive/.test(message)
  ) {
    return new Error(`recovery failed: ${message}`);
  }
  const latest = /last completed transaction was at log time (.+)/.exec(log)?.[1];
  const last = [...log.matchAll(/restored log file "([0-9A-F]{24})"/g)].at(-1)?.[1];
  const range = { chain: plan.chain, id: base.archiveId, from: base.startWal ?? "" };
  const gaps = await ArchivedLog.open(configuration, from, range, context).then(
    (archived) => missingSegments(archived, range.chain, range.from),
    (): string[] => [],
  );
  // The server may be told to end before it has come to the gap.
  const [, named] = /segment ([0-9A-F]{24}) is missing/.exec(message) ?? [];
  const next = named ?? (last === undefined ? gaps[0] : nextSegment(last));
  const gap =
    next !== undefined && (next === named || gaps.includes(next))
      ? `segment ${next} is missing from the archive`
      : "the archive ends before it";
  const reachable = latest === undefined ? "no commit after the backup" : latest;
  return new NotReached(
    `${describeTarget(target)} cannot be reached: ${gap}; the latest that can be reached is ${reachable}; ${possible}`,
  );
}
