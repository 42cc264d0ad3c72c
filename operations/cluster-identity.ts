import type Docker from "dockerode";
import { dockerEngine, findContainer, findVolume, isNotFound } from "./docker.ts";
import { ContainerNotRunning, executeInContainer } from "./execute.ts";
import { PROOF_FILE, type Proof, parseProof, readProof } from "./first-provision.ts";
import type { Target } from "./target.ts";

/** The cluster that a stack has had, and where it was. */
export interface KnownCluster {
  readonly dataVolume: string;
  /** Id of an image on the Docker host, to look into the volume with when the server does not run. */
  readonly imageId: string;
  /** PostgreSQL's own number of the cluster. */
  readonly systemIdentifier: string;
}

const GIVE_UP = "or run `pulumi destroy --refresh=false` to give the stack up";

/**
 * Why the stack's data volume is not the one that it had: it is gone, was emptied, or holds another cluster; undefined
 * when all is well. An empty database must never silently take the place of one that had data.
 */
export async function clusterProblem(target: Target, known: KnownCluster): Promise<string | undefined> {
  const docker = dockerEngine(target.dockerHost);
  const { dataVolume, systemIdentifier } = known;
  const had = `stack ${target.stack} had cluster ${systemIdentifier} there`;
  const volume = await findVolume(docker, dataVolume);
  // What was in memory is gone with its container: that it is made anew is what is wanted.
  if (volume !== undefined && isInMemory(volume)) return undefined;
  if (volume === undefined) {
    return `the data volume ${dataVolume} is gone; ${had}. Nothing was made in its place: restore the volume, ${GIVE_UP}`;
  }
  let proof = await proofInside(target, dataVolume);
  if (proof === undefined) {
    // Without the image nothing can be looked into; the check that follows the server's start then decides.
    if (!(await imageExists(docker, known.imageId))) return undefined;
    proof = await readProof(docker, dataVolume, known.imageId);
  }
  if (proof === undefined) {
    return `the data volume ${dataVolume} does not hold the stack's database any more; ${had}. Nothing was made in its place: restore it, ${GIVE_UP}`;
  }
  if (proof.systemIdentifier === "unknown" || proof.systemIdentifier === systemIdentifier) return undefined;
  return `the data volume ${dataVolume} holds another cluster (${proof.systemIdentifier}); ${had}. Nothing was changed: put the right volume back, ${GIVE_UP}`;
}

/** Whether a volume is a file system in memory. */
export function isInMemory({ Options }: Pick<Docker.VolumeInspectInfo, "Options">): boolean {
  return Options?.["type"] === "tmpfs";
}

/** The proof as the running server's container sees it, which is quicker to get; undefined when that cannot be had. */
async function proofInside(target: Target, dataVolume: string): Promise<Proof | undefined> {
  const container = await findContainer(dockerEngine(target.dockerHost), target.container);
  if (!container?.Mounts.some(({ Name }) => Name === dataVolume)) return undefined;
  try {
    const { exitCode, stdout } = await executeInContainer(target, {
      command: ["sh", "-c", `cat "$PGDATA/${PROOF_FILE}"`],
    });
    return exitCode === 0 ? parseProof(stdout) : undefined;
  } catch (error) {
    if (error instanceof ContainerNotRunning) return undefined;
    throw error;
  }
}

async function imageExists(docker: Docker, imageId: string): Promise<boolean> {
  try {
    await docker.getImage(imageId).inspect();
    return true;
  } catch (error) {
    if (isNotFound(error)) return false;
    throw error;
  }
}
