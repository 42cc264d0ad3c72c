import { readFile } from "node:fs/promises";
import { join } from "node:path";
import type { AgentConfiguration } from "./configuration.ts";
import type { Context } from "./context.ts";
import { type BackupEntry, entryKey, type Verification } from "./entry.ts";
import { isCode, messageOf, Refusal } from "./failure.ts";
import { writeWhole } from "./files.ts";
import { leadsHere } from "./lineage/chain.ts";
import { type Lineage, readRecordedLineage } from "./lineage/record.ts";
import { logicalEntries } from "./logical/folder.ts";
import { recordedBoundaries, withReach } from "./physical/archive-boundary.ts";
import { describeUnreadable, physicalBackups } from "./physical/info.ts";
import { segmentTimeline } from "./physical/segments.ts";
import { priorOf } from "./retention.ts";

/** What metadata.json holds. */
interface Metadata {
  readonly format: 1;
  readonly backups: readonly BackupEntry[];
}

/** All backups, and what could not be looked at. */
export interface Backups {
  /** The oldest first. */
  readonly entries: readonly BackupEntry[];
  /** Why some may be missing: an object storage that does not answer, for example. */
  readonly problems: readonly string[];
  /** Repositories that could not be looked into: what is told of them is remembered. */
  readonly unreadable: readonly string[];
}

const FILE = "metadata.json";

/**
 * The backups that are there: each by its own files, with what later verifications found as metadata.json has it. A
 * metadata.json that is torn or missing costs nothing but that.
 *
 * @throws Refusal when metadata.json is of a later format.
 */
export async function readBackups(
  configuration: AgentConfiguration,
  context: Pick<Context, "signal">,
): Promise<Backups> {
  return judged(configuration, await storedBackups(configuration, context));
}

/** What follows from the backups together, which is never stored: another look may find it different. */
async function judged(configuration: AgentConfiguration, { entries, ...rest }: Backups): Promise<Backups> {
  const lineage = await readRecordedLineage(configuration);
  const boundaries = recordedBoundaries(entries);
  return {
    entries: entries.map((entry) => placed(withReach(withPrior(entry, entries), boundaries), lineage)),
    ...rest,
  };
}

async function storedBackups(
  configuration: AgentConfiguration,
  context: Pick<Context, "signal">,
): Promise<Backups> {
  const known = new Map(
    (await readMetadata(configuration))?.backups.map((entry) => [entryKey(entry), entry]),
  );
  const problems: string[] = [];
  const closed: string[] = [];
  // What cannot be looked at now is not forgotten.
  const remembered = (repositories: readonly string[]): BackupEntry[] =>
    [...known.values()].filter(
      (entry) => entry.kind !== "logical" && entry.repositories.some((name) => repositories.includes(name)),
    );
  const physical = await physicalBackups(configuration, context).then(
    ({ entries, unreadable }) => {
      problems.push(...unreadable.map(describeUnreadable));
      closed.push(...unreadable.map(({ repository }) => repository));
      return [...entries, ...remembered(closed)];
    },
    (error: unknown) => {
      context.signal.throwIfAborted();
      problems.push(messageOf(error));
      return remembered(configuration.physical.repositories);
    },
  );
  const entries = [...(await logicalEntries(configuration)), ...physical].map((entry) =>
    withVerification(entry, known.get(entryKey(entry))?.verification),
  );
  entries.sort((one, other) => one.finishedAt.localeCompare(other.finishedAt));
  return { entries, problems, unreadable: closed };
}

/** Writes metadata.json from what is there, with the verifications given before those known. To be called under the lock. */
export async function writeMetadata(
  configuration: AgentConfiguration,
  context: Pick<Context, "signal">,
  verificationOf: (entry: BackupEntry) => Verification | undefined = () => undefined,
): Promise<Backups> {
  const { entries, ...rest } = await storedBackups(configuration, context);
  const backups = entries.map((entry) => {
    const verification = verificationOf(entry);
    return verification === undefined ? entry : { ...entry, verification };
  });
  const metadata: Metadata = { format: 1, backups };
  await writeWhole(
    join(configuration.backupDirectory, FILE),
    `${JSON.stringify(metadata, undefined, 2)}\n`,
    0o644,
  );
  return judged(configuration, { entries: backups, ...rest });
}

/** A failure stays until a later look finds the backup good; a restore proves more than reading. */
function withVerification(entry: BackupEntry, known: Verification | undefined): BackupEntry {
  return known === undefined || known.at < entry.verification.at ? entry : { ...entry, verification: known };
}

/** A backup is as good as what it rests on. */
function withPrior(entry: BackupEntry, entries: readonly BackupEntry[]): BackupEntry {
  const { verification } = entry;
  if (verification.result === "failed") return entry;
  for (let prior = priorOf(entry, entries); prior !== undefined; prior = priorOf(prior, entries)) {
    if (prior.verification.result === "ok") continue;
    const message = `it rests on ${prior.id}: ${prior.verification.message ?? "not good"}`;
    return { ...entry, verification: { ...verification, result: "failed", message } };
  }
  return entry;
}

/** Where a physical backup stands among the stack's timelines. */
function placed(entry: BackupEntry, lineage: Lineage | undefined): BackupEntry {
  if (entry.kind === "logical" || entry.startWal === undefined || entry.stopLsn === undefined) return entry;
  const timeline = segmentTimeline(entry.startWal);
  const foreign =
    lineage !== undefined &&
    ((entry.systemIdentifier !== "unknown" && entry.systemIdentifier !== lineage.systemIdentifier) ||
      !leadsHere(lineage.chain, timeline, entry.stopLsn));
  return { ...entry, timeline, ...(foreign ? { abandoned: true } : {}) };
}

async function readMetadata({ backupDirectory }: AgentConfiguration): Promise<Metadata | undefined> {
  let text: string;
  try {
    text = await readFile(join(backupDirectory, FILE), "utf8");
  } catch (error) {
    if (isCode(error, "ENOENT")) return undefined;
    throw error;
  }
  let value: Partial<Metadata> | null;
  try {
    value = JSON.parse(text) as Partial<Metadata> | null;
  } catch {
    return undefined;
  }
  if (typeof value?.format === "number" && value.format > 1) {
    throw new Refusal(
      `${FILE} is of format ${value.format}, which a later version of this stack wrote: use that version`,
    );
  }
  return value?.format === 1 && Array.isArray(value.backups) ? (value as Metadata) : undefined;
}
