import { agentFiles } from "../operations/agent-files.ts";
import { audited } from "../operations/audit.ts";
import { BACKUP_FILES, removeFormerFiles, repositoryConfiguration } from "../operations/backup-files.ts";
import { dockerEngine, findVolume } from "../operations/docker.ts";
import { UserError } from "../operations/user-error.ts";
import { writeVolumeFiles } from "../operations/volume-files.ts";
import type { BackupConfigurationInputs } from "./backup-configuration.ts";
import { dynamicProvider } from "./provider.ts";
import { UNKNOWN } from "./unknown.ts";

/** As earlier versions have left it in the state: the files were in the volume that the server has. */
interface FormerInputs {
  readonly configurationVolume?: string;
}

/** Writes what backups need into the agent's volume. */
export const provider = dynamicProvider<BackupConfigurationInputs, Record<never, never>>({
  replacedBy: ["volume"],
  async create(inputs) {
    await write(inputs);
    return { id: `${inputs.volume}/${BACKUP_FILES.agent}`, results: {} };
  },
  async update(inputs) {
    await write(inputs);
    return {};
  },
  // The agent's own volume goes with what is in it; what the server had goes when nothing is left that needs it.
  async remove(state: BackupConfigurationInputs & FormerInputs) {
    if (state.configurationVolume === undefined) return;
    await removeFormerFiles(dockerEngine(state.target.dockerHost), {
      volume: state.configurationVolume,
      image: state.imageId,
    });
  },
  refuse: requireSameKey,
  async exists({ target, volume, configurationVolume }: BackupConfigurationInputs & FormerInputs) {
    const name = configurationVolume ?? volume;
    return (await findVolume(dockerEngine(target.dockerHost), name)) !== undefined;
  },
});

/** Backups that are there open with their key alone, and the stack may be the only one that knows it. */
async function requireSameKey(
  { key }: BackupConfigurationInputs,
  previous: BackupConfigurationInputs,
): Promise<void> {
  if (!previous.key || key === previous.key || key === UNKNOWN) return;
  throw new UserError(
    `nothing was changed: ${key === "" ? "pgstack:backupEncryption is false" : "pgstack:backupKey is another one"}, and the backups of stack ${previous.target.stack} open with the present key alone. Keep it (pgstack --stack ${previous.target.stack} backups --show-key prints it), or give backups with another key another place: pgstack restore --into makes a stack that has one`,
  );
}

async function write(inputs: BackupConfigurationInputs): Promise<void> {
  const { target, volume, logsDirectory, key, storageAuthority } = inputs;
  const parameters = { volume, code: inputs.code };
  await audited({ logsDirectory, stack: target.stack }, "backup.configure", parameters, async () => {
    await writeVolumeFiles(dockerEngine(target.dockerHost), {
      volume,
      image: inputs.imageId,
      directory: "",
      files: [
        ...(await agentFiles()),
        { path: BACKUP_FILES.agent, content: inputs.agent, mode: 0o600 },
        { path: BACKUP_FILES.pgbackrest, content: inputs.pgbackrest, mode: 0o600 },
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
