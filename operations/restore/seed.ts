import type Docker from "dockerode";
import type { PreparedCluster } from "../../agent/restore/prepare.ts";
import type { RecoveryTarget } from "../../agent/restore/target.ts";
import { type AgentCall, callAgent } from "../agent.ts";
import { agentFiles } from "../agent-files.ts";
import { BACKUP_FILES } from "../backup-files.ts";
import { emptyDataVolume } from "../begin-again.ts";
import { BACKUP_DIRECTORY } from "../container-directories.ts";
import { DATA_MOUNT } from "../data-directory.ts";
import { dockerEngine, findVolume, statusCode } from "../docker.ts";
import { readProof } from "../first-provision.ts";
import { CONFIGURATION_DIRECTORY } from "../postgresql-conf.ts";
import { LABEL_STACK, type Target } from "../target.ts";
import { errorLine, UserError } from "../user-error.ts";
import { lookIntoCluster } from "../volume/cluster.ts";
import { writeContainerFiles } from "../volume-files.ts";
import { removeContainer, removeLeftOver, restorerContainer } from "./restorer.ts";
import { CONFINED, WORK_CONTAINER } from "./work-container.ts";

/** The backups that a new stack begins with. */
export interface SeedOptions {
  readonly dataVolume: string;
  /** Why what fails verification is taken; absent: it is not. */
  readonly accept?: string;
  /** Id of the image that the server is going to run from. */
  readonly imageId: string;
  /** Text of the agent's configuration, for the repository that is read. */
  readonly agent: string;
  /** Text of pgBackRest's. Secret. */
  readonly pgbackrest: string;
  /** What the backups are encrypted with. Secret. */
  readonly key?: string;
  /** PEM text; empty: the machine's own authorities. */
  readonly storageAuthority: string;
  /** Where the local repository is; absent: there is none. */
  readonly source?: { readonly type: "volume" | "bind"; readonly place: string };
  /** Network to reach an object storage by; empty: none. */
  readonly network: string;
  readonly limits: { readonly memoryMegabytes: number; readonly cpus: number };
  readonly labels: Readonly<Record<string, string>>;
}

/**
 * Makes the cluster of a stack that has none from another one's backups, which are only read. What an earlier try left is
 * cleared away first.
 *
 * @throws UserError when the stack has a database, or the backups cannot be had.
 */
export async function seedCluster(
  target: Target,
  wanted: RecoveryTarget,
  options: SeedOptions,
  call: AgentCall = {},
): Promise<PreparedCluster> {
  const docker = dockerEngine(target.dockerHost);
  await requireEmpty(docker, target, options);
  await requireSource(docker, options);
  const name = restorerContainer(target.container);
  await removeLeftOver(docker, name, target);
  const container = await create(docker, name, options);
  try {
    await writeContainerFiles(docker, container, {
      image: options.imageId,
      folder: CONFIGURATION_DIRECTORY,
      files: [
        ...(await agentFiles()),
        { path: BACKUP_FILES.agent, content: options.agent, mode: 0o600 },
        { path: BACKUP_FILES.pgbackrest, content: options.pgbackrest, mode: 0o600 },
        ...(options.key === undefined ? [] : [{ path: BACKUP_FILES.key, content: options.key, mode: 0o600 }]),
        ...(options.storageAuthority === ""
          ? []
          : [{ path: BACKUP_FILES.storageAuthority, content: options.storageAuthority, mode: 0o600 }]),
      ],
    });
    await container.start();
    return await callAgent<PreparedCluster>(
      target,
      "restore-seed",
      { target: wanted, accept: options.accept !== undefined },
      { ...call, container: name },
    );
  } finally {
    await removeContainer(container);
  }
}

/** Why a stack with a database is not made from other backups. */
export function hasDatabase(dataVolume: string): string {
  return (
    `pgstack:restore.from is for a stack that has no database yet, and the data volume ${dataVolume} holds one: ` +
    "name a target alone to restore it from its own backups, or use another stack"
  );
}

/** A database that is there is never written over. */
async function requireEmpty(
  docker: Docker,
  target: Target,
  { dataVolume, imageId }: SeedOptions,
): Promise<void> {
  const volume = await findVolume(docker, dataVolume);
  if (volume === undefined) throw new Error(`data volume ${dataVolume} does not exist`);
  const { empty } = await lookIntoCluster(docker, { volume: dataVolume, image: imageId, paths: [] });
  if (empty) return;
  const proof = await readProof(docker, dataVolume, imageId);
  if (proof !== undefined || volume.Labels?.[LABEL_STACK] !== target.stack) {
    throw new UserError(hasDatabase(dataVolume));
  }
  await emptyDataVolume(docker, { dataVolume, imageId });
}

async function requireSource(docker: Docker, { source }: SeedOptions): Promise<void> {
  if (source?.type !== "volume" || (await findVolume(docker, source.place)) !== undefined) return;
  throw new UserError(`pgstack:restore.from.volume: there is no volume ${source.place} on this Docker host`);
}

async function create(docker: Docker, name: string, options: SeedOptions): Promise<Docker.Container> {
  const { source, limits } = options;
  const bytes = limits.memoryMegabytes * 1024 ** 2;
  try {
    return await docker.createContainer({
      ...WORK_CONTAINER,
      name,
      Image: options.imageId,
      Labels: { ...options.labels },
      HostConfig: {
        ...CONFINED,
        NetworkMode: options.network === "" ? "none" : options.network,
        Tmpfs: { "/tmp": "rw,noexec,nosuid,nodev,size=256m,mode=1777" },
        Memory: bytes,
        MemorySwap: bytes,
        NanoCpus: Math.round(limits.cpus * 1e9),
        Mounts: [
          { Type: "volume", Source: options.dataVolume, Target: DATA_MOUNT },
          ...(source === undefined
            ? []
            : [
                {
                  Type: source.type,
                  Source: source.place,
                  Target: BACKUP_DIRECTORY,
                  ReadOnly: true,
                } as const,
              ]),
        ],
      },
    });
  } catch (error) {
    if (source?.type === "bind" && statusCode(error) === 400) {
      throw new UserError(`pgstack:restore.from.directory ${source.place}: ${errorLine(error)}`, {
        cause: error,
      });
    }
    throw error;
  }
}
