import type { AgentConfiguration } from "../configuration.ts";
import type { Context } from "../context.ts";
import { info } from "../physical/info.ts";
import { pgbackrest } from "../physical/pgbackrest.ts";
import { historyName } from "../physical/segments.ts";
import { ProgramFailed } from "../program.ts";

type Reader = Pick<AgentConfiguration, "physical">;

/** What one repository holds of the write-ahead log. */
export interface ArchiveListing {
  /** Folder of the archive of the present cluster, such as `16-1`; undefined: nothing was archived. */
  readonly id?: string;
  /** Archived segments of any timeline, by their 24 letters, and when each was written, in seconds since 1970. */
  readonly segments: ReadonlyMap<string, number>;
  /** Timelines whose history file is archived. */
  readonly histories: ReadonlySet<number>;
}

/** A storage that is away is told of by pgBackRest itself after some tries. */
const LOOK_SECONDS = 60;

/** Of a whole segment: what a restore has cut off is stored as `….partial-…`. */
const SEGMENT = /^[0-9A-F]{24}-/;

/** Lists the archive of the newest cluster that a repository knows. */
export async function listArchive(
  configuration: Reader,
  repository: string,
  context: Pick<Context, "signal">,
): Promise<ArchiveListing> {
  const { stanza, repositories } = configuration.physical;
  const number = repositories.indexOf(repository) + 1;
  const found = await info(configuration, context, number > 0 ? number : undefined);
  const id = found?.archive.at(-1)?.id;
  const segments = new Map<string, number>();
  const histories = new Set<number>();
  if (id === undefined) return { segments, histories };
  const listing = await pgbackrest(configuration, "repo-ls", {
    options: [`--repo=${Math.max(1, number)}`, "--recurse", "--output=json"],
    path: [`archive/${stanza}/${id}`],
    timeoutSeconds: LOOK_SECONDS,
    context,
  });
  for (const [path, { time = 0 }] of Object.entries(
    JSON.parse(listing) as Readonly<Record<string, { readonly time?: number }>>,
  )) {
    const name = path.split("/").at(-1) ?? "";
    if (SEGMENT.test(name)) segments.set(name.slice(0, 24), time);
    else if (/^[0-9A-F]{8}\.history$/.test(name)) histories.add(Number.parseInt(name.slice(0, 8), 16));
  }
  return { id, segments, histories };
}

/**
 * The segments in one folder of the archive of the newest cluster that a repository knows: at most 256.
 *
 * @param folder The first 16 letters of their names.
 */
export async function archivedSegments(
  configuration: Reader,
  repository: string,
  folder: string,
  context: Pick<Context, "signal">,
): Promise<ReadonlySet<string>> {
  const { stanza, repositories } = configuration.physical;
  const number = Math.max(1, repositories.indexOf(repository) + 1);
  const id = (await info(configuration, context, number))?.archive.at(-1)?.id;
  if (id === undefined) return new Set();
  const listing = await pgbackrest(configuration, "repo-ls", {
    options: [`--repo=${number}`],
    path: [`archive/${stanza}/${id}/${folder}`],
    timeoutSeconds: LOOK_SECONDS,
    context,
  });
  return new Set(
    listing
      .split("\n")
      .filter((name) => SEGMENT.test(name))
      .map((name) => name.slice(0, 24)),
  );
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
