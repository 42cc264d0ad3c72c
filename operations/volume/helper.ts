import { randomBytes } from "node:crypto";
import type Docker from "dockerode";
import { findVolume, statusCode } from "../docker.ts";
import { holderIsGone, ownIdentity, parseHolder } from "../lock/holder.ts";

/** Marks a helper container: never started, there only so that files get into or out of a volume. */
export const LABEL_HELPER = "pgstack.helper";
const LABEL_VOLUME = "pgstack.helper.volume";
const LABEL_OWNER = "pgstack.helper.owner";

/** Where the volume is mounted in its helper. Outside the image's own folders, so that nothing is copied into it. */
export const HELPER_MOUNT = "/pgstack-volume";

/** A helper of a process elsewhere, whose life cannot be looked up, counts as left over after this many seconds. */
const LEFT_OVER_SECONDS = 600;

/** Which helper is wanted. */
export interface HelperOptions {
  readonly volume: string;
  /** Image id or reference; it must be on the Docker host. */
  readonly image: string;
  readonly writable: boolean;
  /** Labels of the stack. */
  readonly labels?: Readonly<Record<string, string>>;
}

/**
 * Runs work with a container that has the volume mounted and is never started; the container is removed in every
 * case, as is one that a killed run left on the same volume.
 *
 * @throws Error when the volume does not exist: the engine would silently make it.
 */
export async function withHelper<T>(
  docker: Docker,
  options: HelperOptions,
  work: (container: Docker.Container) => Promise<T>,
): Promise<T> {
  if ((await findVolume(docker, options.volume)) === undefined)
    throw new Error(`volume ${options.volume} does not exist`);
  await removeLeftOverHelpers(docker, options.volume);
  const nonce = randomBytes(6).toString("hex");
  const owner = { ...(await ownIdentity()), nonce, since: new Date().toISOString() };
  const container = await docker.createContainer({
    name: `pgstack-helper-${nonce}`,
    Image: options.image,
    Entrypoint: ["/bin/true"],
    Cmd: [],
    NetworkDisabled: true,
    Labels: {
      ...options.labels,
      [LABEL_HELPER]: "true",
      [LABEL_VOLUME]: options.volume,
      [LABEL_OWNER]: JSON.stringify(owner),
    },
    HostConfig: {
      NetworkMode: "none",
      CapDrop: ["ALL"],
      Mounts: [
        {
          Type: "volume",
          Source: options.volume,
          Target: HELPER_MOUNT,
          ReadOnly: !options.writable,
          VolumeOptions: { NoCopy: true, Labels: {}, DriverConfig: { Name: "", Options: {} } },
        },
      ],
    },
  });
  try {
    return await work(container);
  } finally {
    await removeQuietly(container);
  }
}

/** Removes the helpers on a volume whose process is no more; they would keep the volume from being removed. */
export async function removeLeftOverHelpers(docker: Docker, volume: string): Promise<void> {
  const found = await docker.listContainers({
    all: true,
    filters: { label: [`${LABEL_HELPER}=true`, `${LABEL_VOLUME}=${volume}`] },
  });
  for (const helper of found) {
    const owner = parseHolder(helper.Labels[LABEL_OWNER] ?? "");
    const age = Date.now() / 1000 - helper.Created;
    if (owner === undefined || age > LEFT_OVER_SECONDS || (await holderIsGone(owner))) {
      await removeQuietly(docker.getContainer(helper.Id));
    }
  }
}

async function removeQuietly(container: Docker.Container): Promise<void> {
  try {
    // v: the volumes that the image itself declares; named ones stay.
    await container.remove({ force: true, v: true });
  } catch (error) {
    // 404: already gone; 409: another run is removing it.
    const status = statusCode(error);
    if (status !== 404 && status !== 409) throw error;
  }
}
