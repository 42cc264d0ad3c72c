import { readFile, rm } from "node:fs/promises";
import { join } from "node:path";
import type { AgentConfiguration } from "./configuration.ts";
import type { Context } from "./context.ts";
import { noted, type Verification } from "./entry.ts";
import { messageOf, Refusal } from "./failure.ts";
import { writeWhole } from "./files.ts";
import { writeMetadata } from "./metadata.ts";
import { prepareCluster } from "./restore/prepare.ts";
import { recoveryPoint } from "./stream/recovery-point.ts";
import { firstLines } from "./verification/outcome.ts";

/** A cluster that never answers must not keep backups from being taken for ever. */
const LONGEST_MILLISECONDS = 24 * 3_600_000;

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
  /** Seconds of commits that the backup place did not have yet when the drill began. */
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
  // Without a server there is nothing that could lack.
  const rpoSeconds = (await recoveryPoint(configuration, context).catch(() => undefined))?.seconds;
  context.signal.throwIfAborted();
  const base = { at: started.toISOString(), ...(rpoSeconds === undefined ? {} : { rpoSeconds }) };
  let result: DrillResult;
  let repository: string | undefined;
  const seconds = () => (Date.now() - started.getTime()) / 1_000;
  try {
    const signal = AbortSignal.any([context.signal, AbortSignal.timeout(LONGEST_MILLISECONDS)]);
    const options = { directory, target: { type: "latest" } } as const;
    const prepared = await prepareCluster(configuration, options, { ...context, signal });
    repository = prepared.repository;
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
    await writeMetadata(configuration, context, ({ id, repositories }) =>
      id === result.backup && (repository === undefined || repositories.includes(repository))
        ? proof
        : undefined,
    );
  }
  return result;
}

/** The last drill; undefined when there was none. */
export async function lastDrill(configuration: AgentConfiguration): Promise<DrillResult | undefined> {
  return readFile(resultFile(configuration), "utf8")
    .then((text) => JSON.parse(text) as DrillResult)
    .catch(() => undefined);
}

function resultFile({ backupDirectory }: AgentConfiguration): string {
  return join(backupDirectory, "state", "last-drill.json");
}
