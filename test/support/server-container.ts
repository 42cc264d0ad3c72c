import type { ContainerCreateOptions } from "dockerode";
import { dockerEngine } from "../../operations/docker.ts";
import { LABEL_STACK } from "../../operations/target.ts";
import { TEST_IMAGE } from "./image.ts";
import { removeVolumeQuietly } from "./volumes.ts";

/** Name of a server's data volume, which a test makes before the server. */
export function dataVolumeOf(name: string): string {
  return `${name}-data`;
}

/** Name of the volume with a server's configuration, which a test makes and fills before the server. */
export function configurationVolumeOf(name: string): string {
  return `${name}-configuration`;
}

/** What the objects of a server are known by. */
export function labelsOf(name: string): Record<string, string> {
  return { [LABEL_STACK]: name };
}

/**
 * Starts a server as locked down as a stack's, on the volumes and the network of its name.
 *
 * @param more What differs; of `HostConfig` too each part by itself.
 */
export async function startServerContainer(
  name: string,
  { HostConfig, ...more }: ContainerCreateOptions = {},
): Promise<void> {
  const container = await dockerEngine().createContainer({
    name,
    Image: TEST_IMAGE,
    User: "postgres",
    Cmd: ["postgres", "-c", "config_file=/etc/pgstack/postgresql.conf"],
    Env: [
      "POSTGRES_USER=postgres",
      "POSTGRES_PASSWORD_FILE=/proc/sys/kernel/random/uuid",
      "POSTGRES_INITDB_ARGS=--data-checksums --encoding=UTF8 --locale=C --auth-local=peer --auth-host=scram-sha-256",
      "PGDATA=/var/lib/postgresql/data",
    ],
    Labels: labelsOf(name),
    StopSignal: "SIGINT",
    ...more,
    HostConfig: {
      NetworkMode: name,
      ReadonlyRootfs: true,
      CapDrop: ["ALL"],
      SecurityOpt: ["no-new-privileges"],
      Tmpfs: { "/tmp": "mode=1777", "/var/run/postgresql": "mode=1777" },
      Mounts: [
        { Type: "volume", Source: dataVolumeOf(name), Target: "/var/lib/postgresql/data" },
        { Type: "volume", Source: configurationVolumeOf(name), Target: "/etc/pgstack", ReadOnly: true },
      ],
      ...HostConfig,
    },
  });
  await container.start();
}

/** Removes containers, volumes and network of a server, whatever there is of them. */
export async function removeServer(name: string): Promise<void> {
  const docker = dockerEngine();
  const filters = { label: [`${LABEL_STACK}=${name}`] };
  for (const { Id } of await docker.listContainers({ all: true, filters }))
    await docker.getContainer(Id).remove({ force: true, v: true });
  for (const volume of [dataVolumeOf(name), configurationVolumeOf(name)]) await removeVolumeQuietly(volume);
  for (const { Id } of await docker.listNetworks({ filters })) await docker.getNetwork(Id).remove();
}
