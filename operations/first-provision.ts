import type Docker from "dockerode";
import { saveBootstrapLog } from "./bootstrap-log.ts";
import { dockerEngine, findContainer, findVolume, isNotFound, statusCode } from "./docker.ts";
import { executeInContainer } from "./execute.ts";
import { refuseForeignStart } from "./foreign-start.ts";
import { noteCluster } from "./known-cluster.ts";
import { queryAsSuperuser } from "./superuser.ts";
import { LABEL_STACK, type Target } from "./target.ts";
import { lookIntoCluster } from "./volume/cluster.ts";
import { removeLeftOverHelpers } from "./volume/helper.ts";

/** What stands in a data directory whose server was healthy once. */
export interface Proof {
  readonly stack: string;
  /** When the first health check passed, ISO 8601 in UTC. */
  readonly provenAt: string;
  /** PostgreSQL's own number of the cluster. */
  readonly systemIdentifier: string;
}

/** What {@link abandonFirstProvision} may remove. */
export interface AbandonOptions {
  readonly dataVolume: string;
  readonly configurationVolume?: string;
  /** Id of an image on the Docker host, to look into the volume with. Default: the container's. */
  readonly image?: string;
  /** Where the start-up log is saved. */
  readonly logsDirectory: string;
  /** Why the provision failed; for the log. */
  readonly reason: string;
  /** Seconds that the server may take to stop before it is killed. Default: 30. */
  readonly graceSeconds?: number;
}

/** What {@link abandonFirstProvision} did. */
export interface Abandoned {
  /** Path of the saved start-up log; absent when there was no container. */
  readonly log?: string;
  readonly removedContainer: boolean;
  readonly removedVolumes: readonly string[];
  /** Volumes that stay, and why. */
  readonly keptVolumes: readonly { readonly name: string; readonly why: string }[];
}

/** Name of the file in the data directory that holds the {@link Proof}. */
export const PROOF_FILE = "pgstack.json";

/**
 * Undoes a first provision that failed: saves the start-up log, stops and removes the container, and removes the
 * volumes that bear the stack's label, unless the data volume was proven before. What is proven keeps its
 * container too: then this was no first provision. Returns when the engine no longer knows what was removed.
 */
export async function abandonFirstProvision(target: Target, options: AbandonOptions): Promise<Abandoned> {
  const docker = dockerEngine(target.dockerHost);
  const found = await findContainer(docker, target.container);
  const log =
    found === undefined
      ? undefined
      : await saveBootstrapLog(target, { logsDirectory: options.logsDirectory, reason: options.reason });
  const logged = log === undefined ? {} : { log };
  const volumes = [
    options.dataVolume,
    ...(options.configurationVolume === undefined ? [] : [options.configurationVolume]),
  ];

  const container = found?.Config.Labels[LABEL_STACK] === target.stack ? found : undefined;
  const why = await reasonToKeep(docker, options.dataVolume, container?.Image ?? options.image);
  if (why !== undefined) {
    const keptVolumes = volumes.map((name) => ({ name, why }));
    return { ...logged, removedContainer: false, removedVolumes: [], keptVolumes };
  }
  if (container !== undefined) await removeContainer(docker, container.Id, options.graceSeconds ?? 30);

  const removedVolumes: string[] = [];
  const keptVolumes: { name: string; why: string }[] = [];
  for (const name of volumes) {
    const volume = await findVolume(docker, name);
    if (volume === undefined) continue;
    if (volume.Labels?.[LABEL_STACK] !== target.stack)
      keptVolumes.push({ name, why: "this stack did not make it" });
    else if (await removeVolume(docker, name)) removedVolumes.push(name);
    else keptVolumes.push({ name, why: "another container uses it" });
  }
  return { ...logged, removedContainer: container !== undefined, removedVolumes, keptVolumes };
}

/**
 * Writes into the data directory that the cluster was healthy: from now on nothing removes its volume as a failed
 * first try. Written once; later calls find it and change nothing.
 */
export async function markProven(target: Target): Promise<Proof> {
  const [row] = await queryAsSuperuser<{ system_identifier: string }>(
    target,
    "SELECT system_identifier::text FROM pg_control_system()",
  );
  if (row === undefined) throw new Error("the server does not tell its system identifier");
  await noteCluster(target, row.system_identifier);
  const { exitCode, stdout } = await inDataDirectory(target, `cat ${PROOF_FILE} 2>/dev/null`);
  const before = exitCode === 0 ? parseProof(stdout) : undefined;
  if (before?.stack === target.stack && before.systemIdentifier === row.system_identifier) return before;
  await refuseForeignStart(target);
  const proof: Proof = {
    stack: target.stack,
    provenAt: new Date().toISOString(),
    systemIdentifier: row.system_identifier,
  };
  const draft = `${PROOF_FILE}.new`;
  // sync: a power cut must not bring the cluster back without its mark.
  const script = `umask 077 && cat >${draft} && sync ${draft} && mv ${draft} ${PROOF_FILE} && sync .`;
  const written = await inDataDirectory(target, script, `${JSON.stringify(proof, undefined, 2)}\n`);
  if (written.exitCode !== 0) {
    throw new Error(`${PROOF_FILE} cannot be written into the data directory: ${written.stderr.trim()}`);
  }
  return proof;
}

/** True when the volume holds a cluster that was healthy once. False also when the volume does not exist. */
export async function isProven(docker: Docker, volume: string, image: string): Promise<boolean> {
  return (await readProof(docker, volume, image)) !== undefined;
}

/** The proof in a data volume; undefined when there is none. */
export async function readProof(docker: Docker, volume: string, image: string): Promise<Proof | undefined> {
  if ((await findVolume(docker, volume)) === undefined) return undefined;
  const { files } = await lookIntoCluster(docker, { volume, image, paths: [PROOF_FILE] });
  const file = files.get(PROOF_FILE);
  return file === undefined ? undefined : parseProof(file.content.toString("utf8"));
}

/**
 * The proof that a text states. A damaged one counts too, with unknown fields: data must not be removed because
 * its mark was harmed.
 */
export function parseProof(text: string): Proof {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    value = undefined;
  }
  const fields =
    typeof value === "object" && value !== null ? (value as Partial<Record<keyof Proof, unknown>>) : {};
  const field = (name: keyof Proof): string => (typeof fields[name] === "string" ? fields[name] : "unknown");
  return { stack: field("stack"), provenAt: field("provenAt"), systemIdentifier: field("systemIdentifier") };
}

/** Removes a container after a clean stop, and returns when it is gone. */
async function removeContainer(docker: Docker, id: string, graceSeconds: number): Promise<void> {
  const container = docker.getContainer(id);
  try {
    await container.stop({ t: graceSeconds });
  } catch (error) {
    // 304: it does not run; 404: it is gone.
    if (![304, 404].includes(statusCode(error) ?? 0)) throw error;
  }
  const gone = container.wait({ condition: "removed" }).catch((error: unknown) => {
    if (!isNotFound(error)) throw error;
  });
  try {
    await container.remove({ force: true, v: true });
  } catch (error) {
    // 409: its removal is under way already.
    if (![404, 409].includes(statusCode(error) ?? 0)) throw error;
  }
  await gone;
}

/** False when a container still uses the volume. */
async function removeVolume(docker: Docker, name: string): Promise<boolean> {
  await removeLeftOverHelpers(docker, name);
  try {
    await docker.getVolume(name).remove();
  } catch (error) {
    if (statusCode(error) === 409) return false;
    if (!isNotFound(error)) throw error;
  }
  return true;
}

/** Why the data volume must stay; undefined when it may go. */
async function reasonToKeep(
  docker: Docker,
  volume: string,
  image: string | undefined,
): Promise<string | undefined> {
  if ((await findVolume(docker, volume)) === undefined) return undefined;
  // Any image will do: only the volume's own files are read.
  const readable = image ?? (await docker.listImages())[0]?.Id;
  if (readable === undefined) return "it cannot be looked into without an image on the Docker host";
  return (await isProven(docker, volume, readable)) ? "its database was healthy once" : undefined;
}

function inDataDirectory(target: Target, script: string, input?: string) {
  return executeInContainer(target, {
    command: ["sh", "-c", `cd "$PGDATA" && ${script}`],
    user: "postgres",
    ...(input === undefined ? {} : { input }),
  });
}
