import { BACKUP_FILES } from "./backup-files.ts";
import { dockerEngine, findVolume } from "./docker.ts";
import { LABEL_STACK } from "./target.ts";
import { UserError } from "./user-error.ts";
import { lookIntoVolume } from "./volume-files.ts";

/** The secrets of backups that a running stack's configuration volume still has. */
export interface RunningSecrets {
  /** What backups are encrypted with. */
  readonly backupKey?: string;
  /** Access to the object storage. */
  readonly storage?: { readonly key: string; readonly secret: string };
}

/**
 * Reads what backups need from a stack's configuration volume, for a stack whose state is lost.
 *
 * @throws UserError when the volume is not there, or is not the stack's.
 */
export async function readRunningSecrets(
  stack: string,
  volume: string,
  dockerHost?: string,
): Promise<RunningSecrets> {
  const docker = dockerEngine(dockerHost);
  const found = await findVolume(docker, volume);
  if (found?.Labels?.[LABEL_STACK] !== stack) {
    throw new UserError(
      `nothing of stack ${stack} is on this Docker host: its volume ${volume} is ${found === undefined ? "not there" : "not the stack's"}. DOCKER_HOST names another host; docs/backup.md tells how a stack comes from its backups alone`,
    );
  }
  const image = (await docker.listImages())[0]?.Id;
  if (image === undefined)
    throw new UserError("no image is on this Docker host to look into the volumes with");
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
