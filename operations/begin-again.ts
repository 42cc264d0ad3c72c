import type Docker from "dockerode";
import { dockerEngine, findVolume, statusCode } from "./docker.ts";
import { PROOF_FILE } from "./first-provision.ts";
import { LABEL_STACK, type Target } from "./target.ts";
import { lookIntoCluster } from "./volume/cluster.ts";
import { HELPER_MOUNT } from "./volume/helper.ts";
import { runOnVolume } from "./volume/run.ts";

/** Written by a server at every start and never removed; `initdb` and backups leave it out. */
const STARTED_FILE = "postmaster.opts";
const BACKUP_FILE = "backup_label";
/** Our own image's mark. */
const UNFINISHED_FILE = "pgstack-initialization-unfinished";

/** What {@link beginAgain} may empty. */
export interface BeginAgainOptions {
  readonly dataVolume: string;
  /** Image that the server runs from. */
  readonly imageId: string;
}

/**
 * Whether the first initialization of the stack's data volume was cut off, by a power cut for example. True only for a
 * volume of the stack's own whose database never was healthy and never even started.
 */
export async function wasCutOff(
  target: Target,
  { dataVolume, imageId }: BeginAgainOptions,
): Promise<boolean> {
  const docker = dockerEngine(target.dockerHost);
  const volume = await findVolume(docker, dataVolume);
  if (volume?.Labels?.[LABEL_STACK] !== target.stack) return false;
  const { empty: nothing, files } = await lookIntoCluster(docker, {
    volume: dataVolume,
    image: imageId,
    paths: [PROOF_FILE, "PG_VERSION", STARTED_FILE, BACKUP_FILE, UNFINISHED_FILE],
  });
  if (nothing || files.has(PROOF_FILE) || files.has(BACKUP_FILE)) return false;
  return !files.has("PG_VERSION") || !files.has(STARTED_FILE) || files.has(UNFINISHED_FILE);
}

/** Empties a data volume that {@link wasCutOff}, and starts the server on it anew. */
export async function beginAgain(target: Target, options: BeginAgainOptions): Promise<void> {
  const docker = dockerEngine(target.dockerHost);
  const server = docker.getContainer(target.container);
  await ignoring(304, server.stop());
  await emptyDataVolume(docker, options);
  await ignoring(304, server.start());
}

/** Removes everything from a data volume. The caller has made sure that it holds nothing of worth. */
export async function emptyDataVolume(
  docker: Docker,
  { dataVolume, imageId }: BeginAgainOptions,
): Promise<void> {
  const command = ["find", HELPER_MOUNT, "-mindepth", "1", "-delete"];
  const exitCode = await runOnVolume(docker, { volume: dataVolume, image: imageId }, command);
  if (exitCode !== 0) throw new Error(`data volume ${dataVolume} cannot be emptied`);
}

async function ignoring(status: number, work: Promise<unknown>): Promise<void> {
  try {
    await work;
  } catch (error) {
    if (statusCode(error) !== status) throw error;
  }
}
