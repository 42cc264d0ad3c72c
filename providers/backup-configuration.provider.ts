import { agentFiles } from "../operations/agent-files.ts";
import { audited } from "../operations/audit.ts";
import { BACKUP_FILES, repositoryConfiguration } from "../operations/backup-files.ts";
import { dockerEngine, findVolume } from "../operations/docker.ts";
import { writeVolumeFiles } from "../operations/volume-files.ts";
import type { BackupConfigurationInputs } from "./backup-configuration.ts";
import { dynamicProvider } from "./provider.ts";

/** Writes what backups need into the configuration volume. */
export const provider = dynamicProvider<BackupConfigurationInputs, Record<never, never>>({
  replacedBy: ["configurationVolume"],
  async create(inputs) {
    await write(inputs);
    return { id: `${inputs.configurationVolume}/${BACKUP_FILES.agent}`, results: {} };
  },
  async update(inputs) {
    await write(inputs);
    return {};
  },
  async exists({ target, configurationVolume }) {
    return (await findVolume(dockerEngine(target.dockerHost), configurationVolume)) !== undefined;
  },
});

async function write(inputs: BackupConfigurationInputs): Promise<void> {
  const { target, configurationVolume, logsDirectory, key, storageAuthority } = inputs;
  const parameters = { volume: configurationVolume, code: inputs.code };
  await audited({ logsDirectory, stack: target.stack }, "backup.configure", parameters, async () => {
    await writeVolumeFiles(dockerEngine(target.dockerHost), {
      volume: configurationVolume,
      image: inputs.imageId,
      directory: "",
      files: [
        ...(await agentFiles()),
        { path: BACKUP_FILES.agent, content: inputs.agent, mode: 0o600 },
        { path: BACKUP_FILES.pgbackrest, content: inputs.pgbackrest, mode: 0o600 },
        { path: BACKUP_FILES.archiveScript, content: inputs.archiveScript, mode: 0o600 },
        ...Object.entries(inputs.repositories).map(([name, content]) => ({
          ...{ path: repositoryConfiguration(name), content, mode: 0o600 },
        })),
        ...(key === "" ? [] : [{ path: BACKUP_FILES.key, content: key, mode: 0o600 }]),
        ...(storageAuthority === ""
          ? []
          : [{ path: BACKUP_FILES.storageAuthority, content: storageAuthority, mode: 0o600 }]),
      ],
      labels: inputs.labels,
    });
  });
}
