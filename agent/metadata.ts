import { readFile } from "node:fs/promises";
import { join } from "node:path";
import type { AgentConfiguration } from "./configuration.ts";
import type { Context } from "./context.ts";
import type { BackupEntry, Verification } from "./entry.ts";
import { isCode, messageOf, Refusal } from "./failure.ts";
import { writeWhole } from "./files.ts";
import { logicalEntries } from "./logical/folder.ts";
import { physicalBackups } from "./physical/info.ts";

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
  const known = new Map((await readMetadata(configuration))?.backups.map((entry) => [entry.id, entry]));
  const problems: string[] = [];
  // What cannot be looked at now is not forgotten.
  const remembered = (repositories: readonly string[]): BackupEntry[] =>
    [...known.values()].filter(
      (entry) => entry.kind !== "logical" && entry.repositories.some((name) => repositories.includes(name)),
    );
  const physical = await physicalBackups(configuration, context).then(
    ({ entries, unreadable }) => {
      for (const { repository, message } of unreadable) problems.push(`repository ${repository}: ${message}`);
      return [...entries, ...remembered(unreadable.map(({ repository }) => repository))];
    },
    (error: unknown) => {
      context.signal.throwIfAborted();
      problems.push(messageOf(error));
      return remembered(configuration.physical.repositories);
    },
  );
  const entries = [...(await logicalEntries(configuration)), ...physical].map((entry) =>
    withVerification(entry, known.get(entry.id)?.verification),
  );
  return { entries: entries.sort((one, other) => one.finishedAt.localeCompare(other.finishedAt)), problems };
}

/** Writes metadata.json from what is there, with the verifications given over those known. To be called under the lock. */
export async function writeMetadata(
  configuration: AgentConfiguration,
  context: Pick<Context, "signal">,
  verifications: ReadonlyMap<string, Verification> = new Map(),
): Promise<Backups> {
  const { entries, problems } = await readBackups(configuration, context);
  const backups = entries.map((entry) => {
    const verification = verifications.get(entry.id);
    return verification === undefined ? entry : { ...entry, verification };
  });
  const metadata: Metadata = { format: 1, backups };
  await writeWhole(
    join(configuration.backupDirectory, FILE),
    `${JSON.stringify(metadata, undefined, 2)}\n`,
    0o644,
  );
  return { entries: backups, problems };
}

/** A failure stays until a later look finds the backup good; a restore proves more than reading. */
function withVerification(entry: BackupEntry, known: Verification | undefined): BackupEntry {
  return known === undefined || known.at < entry.verification.at ? entry : { ...entry, verification: known };
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
