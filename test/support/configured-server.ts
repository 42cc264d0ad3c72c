import { onTestFinished } from "vitest";
import { type IssuedCertificates, issueCertificates } from "../../operations/certificates.ts";
import { dockerEngine } from "../../operations/docker.ts";
import { waitUntilReady } from "../../operations/readiness.ts";
import {
  applyServerConfiguration,
  type ServerConfiguration,
  serverConfigurationFiles,
} from "../../operations/server-configuration.ts";
import type { Target } from "../../operations/target.ts";
import { TEST_IMAGE } from "./image.ts";
import {
  configurationVolumeOf,
  dataVolumeOf,
  labelsOf,
  removeServer,
  startServerContainer,
} from "./server-container.ts";
import { uniqueName } from "./volumes.ts";

/** A server of its own with the stack's files, before any role is made; everything goes when the test is over. */
export interface ConfiguredServer {
  readonly target: Target;
  readonly dataVolume: string;
  readonly configurationVolume: string;
  readonly configuration: ServerConfiguration;
  readonly certificates: IssuedCertificates;
  readonly serverName: string;
}

/** Makes network, volumes, files and container of a stack's server, and starts it without waiting. */
export async function startConfiguredServer(
  parameters: ServerConfiguration["parameters"] = {},
): Promise<ConfiguredServer> {
  const name = uniqueName("server");
  onTestFinished(() => removeServer(name));
  return await startNamed(name, parameters);
}

/** The same for all tests of a file, once it takes connections; the caller calls `remove`. */
export async function sharedConfiguredServer(
  parameters: ServerConfiguration["parameters"] = {},
): Promise<ConfiguredServer & { remove(): Promise<void> }> {
  const name = uniqueName("server");
  const remove = () => removeServer(name);
  try {
    const server = await startNamed(name, parameters);
    await waitUntilReady(server.target, { timeoutSeconds: 60 });
    return { ...server, remove };
  } catch (error) {
    await remove();
    throw error;
  }
}

async function startNamed(
  name: string,
  parameters: ServerConfiguration["parameters"],
): Promise<ConfiguredServer> {
  const labels = labelsOf(name);
  const [dataVolume, configurationVolume] = [dataVolumeOf(name), configurationVolumeOf(name)];
  const docker = dockerEngine();
  await docker.createNetwork({ Name: name, Internal: true, Labels: labels });
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
  await startServerContainer(name);
  return { target, dataVolume, configurationVolume, configuration, certificates, serverName: name };
}

/** {@link startConfiguredServer}, and waits until the server takes connections. */
export async function readyServer(parameters?: ServerConfiguration["parameters"]): Promise<ConfiguredServer> {
  const server = await startConfiguredServer(parameters);
  await waitUntilReady(server.target, { timeoutSeconds: 60 });
  return server;
}
