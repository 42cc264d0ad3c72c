import { onTestFinished } from "vitest";
import { type IssuedCertificates, issueCertificates } from "../../operations/certificates.ts";
import { dockerEngine, findContainer } from "../../operations/docker.ts";
import { waitUntilReady } from "../../operations/readiness.ts";
import {
  applyServerConfiguration,
  type ServerConfiguration,
  serverConfigurationFiles,
} from "../../operations/server-configuration.ts";
import { LABEL_STACK, type Target } from "../../operations/target.ts";
import { TEST_IMAGE } from "./image.ts";
import { removeVolumeQuietly, uniqueName } from "./volumes.ts";

/** A server of its own with the stack's files, before any role is made; everything goes when the test is over. */
export interface ConfiguredServer {
  readonly target: Target;
  readonly dataVolume: string;
  readonly configurationVolume: string;
  readonly configuration: ServerConfiguration;
  readonly certificates: IssuedCertificates;
  readonly serverName: string;
}

const docker = dockerEngine();
const BOOTSTRAP = {
  POSTGRES_USER: "postgres",
  POSTGRES_PASSWORD_FILE: "/proc/sys/kernel/random/uuid",
  POSTGRES_INITDB_ARGS:
    "--data-checksums --encoding=UTF8 --locale=C --auth-local=peer --auth-host=scram-sha-256",
  PGDATA: "/var/lib/postgresql/data",
};

/** Makes network, volumes, files and container of a stack's server, and starts it without waiting. */
export async function startConfiguredServer(
  parameters: ServerConfiguration["parameters"] = {},
): Promise<ConfiguredServer> {
  const name = uniqueName("server");
  const labels = { [LABEL_STACK]: name };
  const [dataVolume, configurationVolume] = [`${name}-data`, `${name}-configuration`];
  onTestFinished(() => removeEverything(name, [dataVolume, configurationVolume]));
  const network = await docker.createNetwork({ Name: name, Internal: true, Labels: labels });
  for (const volume of [dataVolume, configurationVolume])
    await docker.createVolume({ Name: volume, Labels: labels });
  const certificates = await issueCertificates({ commonName: name, names: [name], addresses: [] });
  const access = { database: "app", administrator: "app_admin", application: "app_rw", readonly: "app_ro" };
  const configuration: ServerConfiguration = {
    parameters: { shared_buffers: "16MB", ...parameters },
    access,
    certificates: { ...certificates, authority: certificates.authority.certificate },
  };
  const target: Target = { stack: name, container: name, port: 5432, database: "app" };
  const files = serverConfigurationFiles(configuration);
  await applyServerConfiguration(target, { configurationVolume, image: TEST_IMAGE, files });
  const container = await docker.createContainer({
    name,
    Image: TEST_IMAGE,
    User: "postgres",
    Cmd: ["postgres", "-c", "config_file=/etc/pgstack/postgresql.conf"],
    Env: Object.entries(BOOTSTRAP).map(([key, value]) => `${key}=${value}`),
    Labels: labels,
    StopSignal: "SIGINT",
    HostConfig: {
      NetworkMode: network.id,
      ReadonlyRootfs: true,
      CapDrop: ["ALL"],
      SecurityOpt: ["no-new-privileges"],
      Tmpfs: { "/tmp": "mode=1777", "/var/run/postgresql": "mode=1777" },
      Mounts: [
        { Type: "volume", Source: dataVolume, Target: "/var/lib/postgresql/data" },
        { Type: "volume", Source: configurationVolume, Target: "/etc/pgstack", ReadOnly: true },
      ],
    },
  });
  await container.start();
  return { target, dataVolume, configurationVolume, configuration, certificates, serverName: name };
}

/** {@link startConfiguredServer}, and waits until the server takes connections. */
export async function readyServer(parameters?: ServerConfiguration["parameters"]): Promise<ConfiguredServer> {
  const server = await startConfiguredServer(parameters);
  await waitUntilReady(server.target, { timeoutSeconds: 60 });
  return server;
}

async function removeEverything(name: string, volumes: readonly string[]): Promise<void> {
  const container = await findContainer(docker, name);
  if (container !== undefined) await docker.getContainer(container.Id).remove({ force: true, v: true });
  for (const volume of volumes) await removeVolumeQuietly(volume);
  const networks = await docker.listNetworks({ filters: { name: [name] } });
  for (const network of networks) await docker.getNetwork(network.Id).remove();
}
