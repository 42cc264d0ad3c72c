import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { AgentConfiguration } from "../configuration.ts";
import type { Context } from "../context.ts";
import { isCode } from "../failure.ts";
import { writeWhole } from "../files.ts";
import { archivedHistory, archiveRoot } from "../lineage/repository.ts";
import { archivePush } from "./pgbackrest.ts";
import { historyName } from "./segments.ts";

/** The history files of one repository's archive, while they may be missing from it. */
interface KeptHistories {
  /** Folder of the archive. */
  readonly id: string;
  /** Texts by timelines. */
  readonly texts: Readonly<Record<string, string>>;
}

const PUSH_SECONDS = 60;

/**
 * Has something done that may take history files of timelines before one out of an archive, and puts them back. pgBackRest lets go of those before its
 * oldest timeline with log; but the backups of such a timeline are restored by its history, and by all of them a new timeline
 * finds a number that none had before.
 */
export async function withHistories(
  configuration: AgentConfiguration,
  { repository, before }: { readonly repository: string; readonly before: number },
  context: Pick<Context, "signal">,
  work: () => Promise<unknown>,
): Promise<void> {
  // What was cut off in between is ended first.
  await putBack(configuration, repository, context);
  const { id, histories } = await archiveRoot(configuration, repository, context);
  const endangered = [...histories].filter((timeline) => timeline < before);
  if (id !== undefined && endangered.length > 0) {
    const texts: Record<string, string> = {};
    for (const timeline of endangered) {
      texts[timeline] = await archivedHistory(configuration, { repository, id, timeline }, context);
    }
    const kept: KeptHistories = { id, texts };
    await writeWhole(fileOf(configuration, repository), `${JSON.stringify(kept)}\n`);
  }
  await work();
  await putBack(configuration, repository, context);
}

async function putBack(
  configuration: AgentConfiguration,
  repository: string,
  context: Pick<Context, "signal">,
): Promise<void> {
  const file = fileOf(configuration, repository);
  const kept = await readKept(file);
  if (kept === undefined) return;
  const { id, histories } = await archiveRoot(configuration, repository, context);
  const folder = await mkdtemp(join(tmpdir(), "history-"));
  try {
    for (const [timeline, text] of Object.entries(kept.texts)) {
      if (id !== kept.id || histories.has(Number(timeline))) continue;
      const path = join(folder, historyName(Number(timeline)));
      await writeFile(path, text, { mode: 0o600 });
      await archivePush(configuration, repository, { path, timeoutSeconds: PUSH_SECONDS }, context);
    }
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
  await rm(file, { force: true });
}

async function readKept(file: string): Promise<KeptHistories | undefined> {
  try {
    return JSON.parse(await readFile(file, "utf8")) as KeptHistories;
  } catch (error) {
    if (isCode(error, "ENOENT")) return undefined;
    throw error;
  }
}

function fileOf({ backupDirectory }: AgentConfiguration, repository: string): string {
  return join(backupDirectory, "state", `histories-${repository}.json`);
}
