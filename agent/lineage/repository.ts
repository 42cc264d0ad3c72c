import { readdir } from "node:fs/promises";
import { join } from "node:path";
import type { AgentConfiguration } from "../configuration.ts";
import type { Context } from "../context.ts";
import { isCode } from "../failure.ts";
import { info } from "../physical/info.ts";
import { pgbackrest } from "../physical/pgbackrest.ts";
import { historyName } from "../physical/segments.ts";
import { ProgramFailed } from "../program.ts";

type Reader = Pick<AgentConfiguration, "physical">;

/** What the archive of the newest cluster that a repository knows consists of. */
export interface ArchiveRoot {
  /** Its folder, such as `16-1`; undefined: nothing was archived. */
  readonly id?: string;
  /** Folders with at most 256 segments each, by the first 16 letters of their names. */
  readonly folders: readonly string[];
  /** Timelines whose history file is archived. */
  readonly histories: ReadonlySet<number>;
}

/** A storage that is away is told of by pgBackRest itself after some tries. */
const LOOK_SECONDS = 60;
/** For all that was ever archived. */
const LONG_LOOK_SECONDS = 600;
/** Of a whole segment: what a restore has cut off is stored as `….partial-…`. */
const SEGMENT = /^[0-9A-F]{24}-/;

/**
 * Looks at the archive, and not at each segment in it: there may be millions.
 *
 * @param known Its folder, where that is known.
 */
export async function archiveRoot(
  configuration: Reader,
  repository: string,
  context: Pick<Context, "signal">,
  known?: string,
): Promise<ArchiveRoot> {
  const id = known ?? (await newestArchive(configuration, repository, context));
  if (id === undefined) return { folders: [], histories: new Set() };
  const names = await namesIn(configuration, repository, id, context);
  return {
    id,
    folders: names.filter((name) => /^[0-9A-F]{16}$/.test(name)).sort(),
    histories: new Set(
      names
        .filter((name) => /^[0-9A-F]{8}\.history$/.test(name))
        .map((name) => Number.parseInt(name.slice(0, 8), 16)),
    ),
  };
}

async function newestArchive(
  configuration: Reader,
  repository: string,
  context: Pick<Context, "signal">,
): Promise<string | undefined> {
  const found = await info(configuration, context, { repository: numberOf(configuration, repository) });
  return found?.archive.at(-1)?.id;
}

/** The segments in one folder of an archive by their 24 letters. */
export async function segmentsIn(
  configuration: Reader,
  repository: string,
  { id = "", folders }: ArchiveRoot,
  folder: string,
  context: Pick<Context, "signal">,
): Promise<string[]> {
  if (!folders.includes(folder)) return [];
  const names = await namesIn(configuration, repository, `${id}/${folder}`, context);
  return names.filter((name) => SEGMENT.test(name)).map((name) => name.slice(0, 24));
}

/** Whether an archive's folders are listed at once, without a process for each. */
export function isListedDirectly({ physical }: Reader, repository: string): boolean {
  return repository === "local" && physical.localDirectory !== undefined;
}

/** The names in a folder of the archive. */
async function namesIn(
  configuration: Reader,
  repository: string,
  path: string,
  context: Pick<Context, "signal">,
): Promise<string[]> {
  const { localDirectory, stanza } = configuration.physical;
  if (localDirectory === undefined || !isListedDirectly(configuration, repository))
    return Object.keys(await list(configuration, repository, path, context));
  context.signal.throwIfAborted();
  return await readdir(join(localDirectory, "archive", stanza, path)).catch((error: unknown) => {
    if (isCode(error, "ENOENT")) return [];
    throw error;
  });
}

/** The segments in one folder of an archive by their 24 letters, and when each was written, in seconds since 1970. */
export async function archivedIn(
  configuration: Reader,
  repository: string,
  { id = "", folders }: ArchiveRoot,
  folder: string,
  context: Pick<Context, "signal">,
): Promise<ReadonlyMap<string, number>> {
  if (!folders.includes(folder)) return new Map();
  const files = await list(configuration, repository, `${id}/${folder}`, context);
  return new Map(
    Object.entries(files)
      .filter(([name]) => SEGMENT.test(name))
      .map(([name, { time = 0 }]) => [name.slice(0, 24), time]),
  );
}

/** Tells every segment of an archive, one after the other: quicker than by folder where there are many, and held nowhere. */
export async function eachArchived(
  configuration: Reader,
  repository: string,
  { id = "" }: ArchiveRoot,
  tell: (segment: string) => void,
  context: Pick<Context, "signal">,
): Promise<void> {
  await pgbackrest(configuration, "repo-ls", {
    options: [`--repo=${numberOf(configuration, repository) ?? 1}`, "--recurse", "--sort=none"],
    path: [`archive/${configuration.physical.stanza}/${id}`],
    onLine: (line) => {
      const name = line.slice(line.lastIndexOf("/") + 1);
      if (SEGMENT.test(name)) tell(name.slice(0, 24));
    },
    timeoutSeconds: LONG_LOOK_SECONDS,
    context,
  });
}

async function list(
  configuration: Reader,
  repository: string,
  path: string,
  context: Pick<Context, "signal">,
): Promise<Readonly<Record<string, { readonly time?: number }>>> {
  const text = await pgbackrest(configuration, "repo-ls", {
    options: [`--repo=${numberOf(configuration, repository) ?? 1}`, "--output=json"],
    path: [`archive/${configuration.physical.stanza}/${path}`],
    timeoutSeconds: LOOK_SECONDS,
    context,
  });
  return JSON.parse(text) as Readonly<Record<string, { readonly time?: number }>>;
}

/** Number of a repository in pgBackRest's configuration; undefined: it is none of them. */
function numberOf({ physical }: Reader, repository: string): number | undefined {
  const index = physical.repositories.indexOf(repository);
  return index === -1 ? undefined : index + 1;
}

/** Text of a timeline's history file. @throws ProgramFailed when the repository does not hold it. */
export async function archivedHistory(
  configuration: Reader,
  {
    repository,
    id,
    timeline,
  }: { readonly repository: string; readonly id: string; readonly timeline: number },
  context: Pick<Context, "signal">,
): Promise<string> {
  const { stanza } = configuration.physical;
  return fileOf(configuration, repository, `archive/${stanza}/${id}/${historyName(timeline)}`, context);
}

/** The record of the lineage that stands in a repository; undefined where there is none. */
export async function archivedRecord(
  configuration: Reader,
  repository: string,
  context: Pick<Context, "signal">,
): Promise<string | undefined> {
  return fileOf(configuration, repository, recordPath(configuration), context).catch((error: unknown) => {
    if (!(error instanceof ProgramFailed)) throw error;
    return undefined;
  });
}

/** Puts the record of the lineage into a repository, so that it goes wherever the backups go. */
export async function archiveRecord(
  configuration: Reader,
  repository: string,
  text: string,
  context: Pick<Context, "signal">,
): Promise<void> {
  const number = configuration.physical.repositories.indexOf(repository) + 1;
  await pgbackrest(configuration, "repo-put", {
    options: [`--repo=${Math.max(1, number)}`],
    path: [recordPath(configuration)],
    input: text,
    timeoutSeconds: LOOK_SECONDS,
    context,
  });
}

function fileOf(
  configuration: Reader,
  repository: string,
  path: string,
  context: Pick<Context, "signal">,
): Promise<string> {
  const number = configuration.physical.repositories.indexOf(repository) + 1;
  return pgbackrest(configuration, "repo-get", {
    options: [`--repo=${Math.max(1, number)}`],
    path: [path],
    timeoutSeconds: LOOK_SECONDS,
    context,
  });
}

function recordPath({ physical }: Reader): string {
  return `archive/${physical.stanza}/pgstack-lineage.json`;
}
