import type Docker from "dockerode";
import { isNotFound, statusCode } from "./docker.ts";
import { errorLine, UserError } from "./user-error.ts";

/** An image as it is used: what was asked for, and exactly what that is now. */
export interface ResolvedImage {
  /** The reference as it was given, for example `postgres:16-alpine`. */
  readonly reference: string;
  /** Id of the local image, `sha256:…`. */
  readonly imageId: string;
  /** Digest of the manifest, `sha256:…`; absent for an image that never was in a registry. */
  readonly digest?: string;
  /** What names exactly this image: `repository@sha256:…`, or the local image id where there is no digest. */
  readonly pinned: string;
  /** Major version of the PostgreSQL in it, as the official image states it in `PG_MAJOR`. */
  readonly major: number;
  /** Whether it says that it has what the stack's agent needs: pgBackRest and Node.js. */
  readonly agent: boolean;
  /** The folders that it declares as volumes. */
  readonly volumes: readonly string[];
}

/** Label of an image that the agent can run in, with the value `true`. */
export const LABEL_AGENT = "local.pgstack.agent";

/** How {@link resolveImage} finds the digest. */
export interface ResolveImageOptions {
  /** Ask the registry whether the tag has moved. Default: true; an unreachable registry then means the local image. */
  readonly askRegistry?: boolean;
  /** Fetch the image when the engine lacks it. Default: true. False: a missing image is an error. */
  readonly pull?: boolean;
  /** Longest wait for the registry's answer before the local image is taken. Default: 5,000. */
  readonly registryTimeoutMilliseconds?: number;
}

const REGISTRY_TIMEOUT_MILLISECONDS = 5_000;

/**
 * Finds out which image a reference means now, and fetches it when the engine does not have it.
 *
 * The registry is asked through the engine, so that its proxies and mirrors count. An image that was imported or
 * built locally never came from a registry, so none is asked for it.
 *
 * @throws UserError naming the image and the reason when it can be neither found nor fetched.
 */
export async function resolveImage(
  docker: Docker,
  reference: string,
  options: ResolveImageOptions = {},
): Promise<ResolvedImage> {
  if (reference.trim() !== reference || reference === "" || /\s/.test(reference)) {
    throw new UserError(`image "${reference}" is not a reference such as postgres:16-alpine`);
  }
  const local = await inspectImage(docker, reference);
  const mayBeElsewhere = local === undefined || (local.RepoDigests ?? []).length > 0;
  const asked =
    mayBeElsewhere && options.askRegistry !== false && !reference.includes("@")
      ? await digestInRegistry(docker, reference, options)
      : undefined;
  if (local !== undefined) {
    const known = digestsOf(local, reference);
    if (asked === undefined || known.includes(asked)) return describe(reference, local, asked ?? known[0]);
  }
  if (options.pull === false) {
    if (local !== undefined) return describe(reference, local, digestsOf(local, reference)[0]);
    throw new UserError(`image ${reference} is not on the Docker host`);
  }
  // By its tag and not by the digest: the host then knows the tag too when no registry can be asked.
  await pullImage(docker, reference);
  const pulled = await inspectImage(docker, reference);
  if (pulled === undefined) throw new UserError(`image ${reference} cannot be pulled: it is gone again`);
  const known = digestsOf(pulled, reference);
  return describe(reference, pulled, asked !== undefined && known.includes(asked) ? asked : known[0]);
}

/** The repository of a reference: without its tag and its digest. */
export function repositoryOf(reference: string): string {
  const named = reference.split("@")[0] ?? reference;
  const tag = named.indexOf(":", named.lastIndexOf("/") + 1);
  return tag === -1 ? named : named.slice(0, tag);
}

/** Major version that an image's environment states; undefined when it states none. */
export function majorVersionOf(environment: readonly string[]): number | undefined {
  for (const name of ["PG_MAJOR", "PG_VERSION"]) {
    const value = environment.find((line) => line.startsWith(`${name}=`))?.slice(name.length + 1);
    const major = /^(\d+)/.exec(value ?? "")?.[1];
    if (major !== undefined) return Number(major);
  }
  return undefined;
}

function describe(
  reference: string,
  image: Docker.ImageInspectInfo,
  digest: string | undefined,
): ResolvedImage {
  const major = majorVersionOf(image.Config.Env ?? []);
  if (major === undefined) {
    throw new UserError(`image ${reference} does not say which PostgreSQL it holds: it must set PG_MAJOR`);
  }
  return {
    reference,
    imageId: image.Id,
    ...(digest === undefined ? {} : { digest }),
    pinned: digest === undefined ? image.Id : `${repositoryOf(reference)}@${digest}`,
    major,
    agent: image.Config.Labels?.[LABEL_AGENT] === "true",
    volumes: Object.keys(image.Config.Volumes ?? {}),
  };
}

async function inspectImage(docker: Docker, name: string): Promise<Docker.ImageInspectInfo | undefined> {
  try {
    return await docker.getImage(name).inspect();
  } catch (error) {
    if (isNotFound(error)) return undefined;
    if (statusCode(error) === 400)
      throw new UserError(`image "${name}" is not a reference such as postgres:16-alpine`);
    throw error;
  }
}

async function digestInRegistry(
  docker: Docker,
  reference: string,
  options: ResolveImageOptions,
): Promise<string | undefined> {
  const timeout = options.registryTimeoutMilliseconds ?? REGISTRY_TIMEOUT_MILLISECONDS;
  try {
    const answer = await dialDistribution(docker, reference, AbortSignal.timeout(timeout));
    const descriptor = (answer as { Descriptor?: { digest?: unknown } } | null)?.Descriptor;
    return typeof descriptor?.digest === "string" ? descriptor.digest : undefined;
  } catch {
    // Offline, refused or too slow: what is on the host counts; a pull says the reason when nothing is.
    return undefined;
  }
}

/** The client's own `distribution()` passes no signal on, and a silent registry would hold it for 15 seconds. */
function dialDistribution(docker: Docker, reference: string, abortSignal: AbortSignal): Promise<unknown> {
  return new Promise((resolve, reject) => {
    docker.modem.dial(
      {
        path: `/distribution/${reference}/json`,
        method: "GET",
        statusCodes: { 200: true, 401: "denied", 403: "denied", 404: "unknown", 500: "server error" },
        abortSignal,
      },
      (error, answer) => (error ? reject(error) : resolve(answer)),
    );
  });
}

function digestsOf(image: Docker.ImageInspectInfo, reference: string): string[] {
  const repository = repositoryOf(reference);
  const found = (image.RepoDigests ?? [])
    .map((entry) => entry.split("@"))
    .filter(([name]) => name !== undefined && (name === repository || repository.endsWith(`/${name}`)))
    .flatMap(([, digest]) => (digest === undefined ? [] : [digest]));
  const given = reference.split("@")[1];
  return given === undefined ? found : [given, ...found.filter((digest) => digest !== given)];
}

async function pullImage(docker: Docker, reference: string): Promise<void> {
  try {
    const progress = await docker.pull(reference);
    await new Promise<void>((resolve, reject) => {
      docker.modem.followProgress(progress, (error) => (error ? reject(error) : resolve()));
    });
  } catch (error) {
    throw new UserError(`image ${reference} cannot be pulled: ${reasonOf(error)}`);
  }
}

/** The engine's reason on one line, without the client's wrapping. */
function reasonOf(error: unknown): string {
  const json = (error as { json?: { message?: unknown } } | null)?.json;
  const message = typeof json?.message === "string" ? json.message : errorLine(error);
  return message.replaceAll(/\s+/g, " ").trim();
}
