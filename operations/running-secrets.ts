import { BACKUP_FILES } from "./backup-files.ts";
import { dockerEngine, findVolume } from "./docker.ts";
import { LABEL_STACK } from "./target.ts";
import { UserError } from "./user-error.ts";
import { lookIntoVolume } from "./volume-files.ts";

/** The secrets of backups that a running stack's volumes still have. */
export interface RunningSecrets {
  /** What backups are encrypted with. */
  readonly backupKey?: string;
  /** Access to the object storage. */
  readonly storage?: { readonly key: string; readonly secret: string };
}

/** Where a stack's files are. */
export interface StackVolumes {
  /** The server's configuration: where earlier versions had the agent's too. */
  readonly configuration: string;
  readonly agent: string;
}

/**
 * Reads what backups need from a stack's volumes, for a stack whose state is lost.
 *
 * @throws UserError when its configuration volume is not there, or is not the stack's.
 */
export async function readRunningSecrets(
  stack: string,
  volumes: StackVolumes,
  dockerHost?: string,
): Promise<RunningSecrets> {
  const docker = dockerEngine(dockerHost);
  const owned = async (volume: string) => (await findVolume(docker, volume))?.Labels?.[LABEL_STACK] === stack;
  if (!(await owned(volumes.configuration))) {
    const there = (await findVolume(docker, volumes.configuration)) !== undefined;
    throw new UserError(
      `nothing of stack ${stack} is on this Docker host: its volume ${volumes.configuration} is ${there ? "not the stack's" : "not there"}. DOCKER_HOST names another host; docs/backup.md tells how a stack comes from its backups alone`,
    );
  }
  const image = (await docker.listImages())[0]?.Id;
  if (image === undefined)
    throw new UserError("no image is on this Docker host to look into the volumes with");
  const volume = (await owned(volumes.agent)) ? volumes.agent : volumes.configuration;
  const paths = [BACKUP_FILES.key, BACKUP_FILES.pgbackrest];
  const { files } = await lookIntoVolume(docker, { volume, image, paths });
  const text = (path: string): string | undefined => files.get(path)?.content.toString("utf8").trim();
  const option = (name: string): string | undefined =>
    new RegExp(`^repo\\d-${name}=(.+)$`, "m").exec(text(BACKUP_FILES.pgbackrest) ?? "")?.[1];
  const [backupKey, key, secret] = [text(BACKUP_FILES.key), option("s3-key"), option("s3-key-secret")];
  return {
    ...(backupKey === undefined || backupKey === "" ? {} : { backupKey }),
    ...(key === undefined || secret === undefined ? {} : { storage: { key, secret } }),
  };
}
