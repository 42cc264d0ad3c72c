import { audited } from "../operations/audit.ts";
import { readCertificateFiles } from "../operations/certificate-files.ts";
import { fingerprintOf } from "../operations/certificates.ts";
import { dockerEngine, findContainer, findVolume } from "../operations/docker.ts";
import { inRunningContainer } from "../operations/running-container.ts";
import {
  applyServerConfiguration,
  configurationDrift,
  type ServerCertificates,
  serverConfigurationFiles,
} from "../operations/server-configuration.ts";
import { requireDurable } from "../operations/testing/fast-settings.ts";
import type { VolumeFile } from "../operations/volume-files.ts";
import { dynamicProvider } from "./provider.ts";
import type {
  ServerConfigurationInputs,
  ServerConfigurationResults,
  ServerTls,
} from "./server-configuration.ts";

/** Writes the server's files; a running server takes them over by a reload, or the old ones are put back. */
export const provider = dynamicProvider<ServerConfigurationInputs, ServerConfigurationResults>({
  replacedBy: ["configurationVolume"],
  async create(inputs) {
    return { id: inputs.configurationVolume, results: await apply(inputs, "configuration.create") };
  },
  async update(inputs) {
    return apply(inputs, "configuration.update");
  },
  async exists({ target, configurationVolume }) {
    return (await findVolume(dockerEngine(target.dockerHost), configurationVolume)) !== undefined;
  },
  async drift(inputs) {
    const { target } = inputs;
    const container = await findContainer(dockerEngine(target.dockerHost), target.container);
    // Of a server that is away or not well, others tell.
    if (container?.State.Health?.Status !== "healthy") return [];
    const files = filesOf(inputs, await certificatesOf(inputs.tls));
    return inRunningContainer<string[]>(
      target,
      () => configurationDrift(target, files),
      () => [],
    );
  },
});

async function apply(
  inputs: ServerConfigurationInputs,
  operation: string,
): Promise<ServerConfigurationResults> {
  const { target, tls } = inputs;
  requireDurable(inputs.environment, inputs.parameters);
  const context = { logsDirectory: inputs.logsDirectory, stack: target.stack };
  const parameters: Record<string, unknown> = { volume: inputs.configurationVolume, tls: tls.mode };
  return audited(context, operation, parameters, async () => {
    const certificates = await certificatesOf(tls);
    if (certificates !== undefined) parameters.certificate = fingerprintOf(certificates.certificate);
    const { changed, reloaded, pendingRestart, reset } = await applyServerConfiguration(target, {
      configurationVolume: inputs.configurationVolume,
      image: inputs.imageId,
      files: filesOf(inputs, certificates),
      labels: inputs.labels,
    });
    Object.assign(parameters, { changed, reloaded, ...(reset.length > 0 ? { reset } : {}) });
    return { pendingRestart };
  });
}

function filesOf(
  { target, parameters, access, archiveTimeoutSeconds }: ServerConfigurationInputs,
  certificates: ServerCertificates | undefined,
): VolumeFile[] {
  return serverConfigurationFiles({
    ...{ parameters, access, port: target.port },
    ...(archiveTimeoutSeconds === undefined ? {} : { archiveTimeoutSeconds }),
    ...(certificates === undefined ? {} : { certificates }),
  });
}

/** Files on the operator's machine are read now and here: their key never passes through the stack's state. */
async function certificatesOf(tls: ServerTls): Promise<ServerCertificates | undefined> {
  switch (tls.mode) {
    case "off":
      return undefined;
    case "generated":
      return { certificate: tls.certificate, key: tls.key, authority: tls.authority };
    case "files": {
      const { certificate, key } = await readCertificateFiles(tls.certificatesDirectory, tls.domain);
      return { certificate, key };
    }
  }
}
