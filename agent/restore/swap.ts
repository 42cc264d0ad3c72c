import { existsSync } from "node:fs";
import { mkdir, readdir, rename, rm, rmdir } from "node:fs/promises";
import { dirname, join } from "node:path";
import type { AgentConfiguration } from "../configuration.ts";
import { isCode, Refusal } from "../failure.ts";
import { syncPath, writeWhole } from "../files.ts";
import type { Lineage } from "../lineage/record.ts";
import { readPlain } from "../plain-file.ts";
import type { PreparedCluster } from "./prepare.ts";

/** How far a restore has come. */
export type Phase =
  /** The restored cluster is being made beside the one in use. */
  | "preparing"
  /** It is made and checked; nothing in use has been changed. */
  | "prepared"
  /** It is made and failed verification; nothing in use has been changed, and the operator is to decide. */
  | "failed verification"
  /** The two change places; either may be where it was or where it will be. */
  | "swapping"
  /** The restored one is in use; whether it is healthy is not known yet. */
  | "swapped"
  /** The one before is to come back. */
  | "undoing";

/** What a restore is about, kept in the data volume so that the next run finds one that was cut off. */
export interface Journal {
  readonly format: 1;
  readonly id: string;
  readonly phase: Phase;
  readonly startedAt: string;
  /** In words. */
  readonly target: string;
  readonly prepared?: PreparedCluster;
  /** When the server was first started on the restored cluster; what was written since is in no other. */
  readonly openedAt?: string;
  /** The stack's timelines from before the change; absent in a journal of an earlier version. */
  readonly lineage?: Lineage;
  /** The operator takes the restored cluster whatever its verification finds. */
  readonly accepted?: { readonly reason: string; readonly at: string };
}

/** Whether a restore has changed nothing of what is in use, so that it may be dropped, and backups go on. */
export function isUntouched({ phase }: Pick<Journal, "phase">): boolean {
  return phase === "preparing" || phase === "prepared" || phase === "failed verification";
}

const FILE = "restore.json";
const MOST_BYTES = 1024 ** 2;

/** Folders of a restore beside the cluster's own. */
export function folders({ dataDirectory }: AgentConfiguration, id: string) {
  const root = dirname(dataDirectory);
  return {
    root,
    current: dataDirectory,
    restored: join(root, `restore-${id}`),
    previous: join(root, `previous-${id}`),
  };
}

/** The restore that is under way or was cut off; undefined when there is none. */
export async function readJournal({ dataDirectory }: AgentConfiguration): Promise<Journal | undefined> {
  try {
    const text = await readPlain(join(dirname(dataDirectory), FILE), MOST_BYTES);
    return JSON.parse(text.toString("utf8")) as Journal;
  } catch (error) {
    if (isCode(error, "ENOENT")) return undefined;
    throw error;
  }
}

export async function writeJournal({ dataDirectory }: AgentConfiguration, journal: Journal): Promise<void> {
  await writeWhole(join(dirname(dataDirectory), FILE), `${JSON.stringify(journal, undefined, 2)}\n`);
}

/** The restore is over. */
export async function removeJournal({ dataDirectory }: AgentConfiguration): Promise<void> {
  await rm(join(dirname(dataDirectory), FILE), { force: true });
  await syncPath(dirname(dataDirectory));
}

/** Puts the restored cluster in use; the one before is kept, where there is one. Done again after being cut off, it goes on. */
export async function swapIn(configuration: AgentConfiguration, id: string): Promise<void> {
  const { root, current, restored, previous } = folders(configuration, id);
  if (!existsSync(restored)) {
    if (existsSync(previous) && existsSync(current)) return;
    throw new Refusal(`restore ${id} has no cluster to put in use`);
  }
  if (!existsSync(previous)) {
    if (existsSync(current)) await rename(current, previous);
    // It was lost altogether: an empty folder in its place tells the next run how far this one came.
    else await mkdir(previous, { mode: 0o700 });
  }
  await rename(restored, current);
  await syncPath(root);
}

/** Puts the cluster in use again that was before; the restored one goes back beside it. Goes on after being cut off. */
export async function swapBack(configuration: AgentConfiguration, id: string): Promise<void> {
  const { root, current, restored, previous } = folders(configuration, id);
  if (!existsSync(previous)) return;
  if (existsSync(current) && !existsSync(restored)) await rename(current, restored);
  if ((await readdir(previous)).length === 0) await rmdir(previous);
  else await rename(previous, current);
  await syncPath(root);
}

/** Whether there is a cluster to start a server on: without one it would make a new, empty one. */
export function isClusterThere({ dataDirectory }: AgentConfiguration): boolean {
  return existsSync(dataDirectory);
}

/** Removes the cluster that was restored and is not in use. */
export async function discardRestored(configuration: AgentConfiguration, id: string): Promise<void> {
  await rm(folders(configuration, id).restored, { recursive: true, force: true });
}

/** Keeps the cluster that was restored and has been in use, as the one before a restore is kept. */
export async function keepRestored(configuration: AgentConfiguration, id: string): Promise<void> {
  const { root, restored } = folders(configuration, id);
  if (existsSync(restored)) await rename(restored, folders(configuration, `${id}-undone`).previous);
  await syncPath(root);
}

/** Ids of the restores whose cluster from before is kept. */
export async function keptPrevious({ dataDirectory }: AgentConfiguration): Promise<string[]> {
  const names = await readdir(dirname(dataDirectory));
  return names.filter((name) => name.startsWith("previous-")).map((name) => name.slice("previous-".length));
}

/** Removes a cluster that was in use before a restore. */
export async function removePrevious(configuration: AgentConfiguration, id: string): Promise<void> {
  await rm(folders(configuration, id).previous, { recursive: true, force: true });
}
