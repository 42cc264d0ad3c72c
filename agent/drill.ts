import { readFile, rm } from "node:fs/promises";
import { join } from "node:path";
import type { AgentConfiguration } from "./configuration.ts";
import type { Context } from "./context.ts";
import { noted, type Verification } from "./entry.ts";
import { messageOf, Refusal } from "./failure.ts";
import { writeWhole } from "./files.ts";
import { writeMetadata } from "./metadata.ts";
import { prepareCluster } from "./restore/prepare.ts";
import { query } from "./sql.ts";
import { firstLines } from "./verification/outcome.ts";

/** What a drill found. */
export interface DrillResult {
  readonly at: string;
  readonly result: "ok" | "failed";
  readonly message?: string;
  /** What was so at the source already. */
  readonly warnings?: readonly string[];
  readonly backup?: string;
  /** Seconds from nothing to the first query that the restored server answered. */
  readonly rtoSeconds?: number;
  /** Seconds of commits that the archive did not have yet when the drill began. */
  readonly rpoSeconds?: number;
  /** Seconds that the whole drill took. */
  readonly seconds: number;
}

/**
 * Proves that the database can be restored: the newest backup and everything archived since, in a throw-away cluster,
 * with every table and index checked. To be called under the lock.
 */
export async function drill(configuration: AgentConfiguration, context: Context): Promise<DrillResult> {
  const started = new Date();
  const directory = join(configuration.scratchDirectory, "drill");
  await rm(directory, { recursive: true, force: true });
  const rpoSeconds = await unarchivedSeconds(configuration, context);
  const base = { at: started.toISOString(), ...(rpoSeconds === undefined ? {} : { rpoSeconds }) };
  let result: DrillResult;
  const seconds = () => (Date.now() - started.getTime()) / 1_000;
  try {
    const prepared = await prepareCluster(
      configuration,
      { directory, target: { type: "latest" }, end: "promote" },
      context,
    );
    const { backup, problems, warnings, secondsToFirstQuery: rtoSeconds } = prepared;
    if (problems.length > 0)
      throw new Refusal(`what was restored failed verification: ${firstLines(problems)}`);
    result = { ...base, result: "ok", backup, rtoSeconds, seconds: seconds(), ...noted(warnings) };
  } catch (error) {
    context.signal.throwIfAborted();
    result = { ...base, result: "failed", message: messageOf(error), seconds: seconds() };
  } finally {
    await rm(directory, { recursive: true, force: true });
  }
  await writeWhole(resultFile(configuration), `${JSON.stringify(result, undefined, 2)}\n`, 0o644);
  if (result.backup !== undefined) {
    const at = new Date().toISOString();
    const proof: Verification = { form: "restored", at, result: "ok", ...noted(result.warnings ?? []) };
    await writeMetadata(configuration, context, new Map([[result.backup, proof]]));
  }
  return result;
}

/** The last drill; undefined when there was none. */
export async function lastDrill(configuration: AgentConfiguration): Promise<DrillResult | undefined> {
  return readFile(resultFile(configuration), "utf8")
    .then((text) => JSON.parse(text) as DrillResult)
    .catch(() => undefined);
}

/** How old the oldest commit may be that is not archived: 0 when all are. */
async function unarchivedSeconds(
  configuration: AgentConfiguration,
  context: Pick<Context, "signal">,
): Promise<number | undefined> {
  const rows = await query<{ seconds: number | null }>(
    configuration,
    `SELECT CASE WHEN last_archived_wal IS NULL OR pg_walfile_name(pg_current_wal_insert_lsn()) <= last_archived_wal
                      OR pg_walfile_name_offset(pg_current_wal_insert_lsn())::text LIKE '%,0)' THEN 0
                 ELSE extract(epoch FROM clock_timestamp() - last_archived_time)::float8 END AS seconds
       FROM pg_stat_archiver`,
    context,
  ).catch(() => []);
  const seconds = rows[0]?.seconds;
  return seconds === null ? undefined : seconds;
}

function resultFile({ backupDirectory }: AgentConfiguration): string {
  return join(backupDirectory, "state", "last-drill.json");
}
