import { randomUUID } from "node:crypto";
import { dockerEngine, findVolume } from "./docker.ts";
import { REPLACE_LOST, readBackupFolder, UNKNOWN_FOLDER } from "./health/backup-folder.ts";
import { LABEL_STACK, type Target } from "./target.ts";
import { UserError } from "./user-error.ts";
import { ownVolume, writeVolumeFiles } from "./volume-files.ts";

const FOLDER_MILLISECONDS = 10_000;

/** The volume that a stack's backups were in when it was brought up last. */
export interface KnownBackups {
  readonly stack: string;
  /** Undefined: they are in a folder on the Docker host. */
  readonly volume?: string | undefined;
  readonly dockerHost?: string;
}

/**
 * Refuses where the volume with a stack's backups is gone: an empty one in its place would pass for them.
 *
 * @throws UserError with both ways out; nothing was made.
 */
export async function refuseLostBackups(known: KnownBackups): Promise<void> {
  if (!(await isGone(known))) return;
  const { stack, volume } = known;
  throw new UserError(
    `nothing was changed: the volume ${volume} with the backups of stack ${stack} is gone. Bring it back under this name, or give them up: ./pgstack --stack ${stack} backups ${REPLACE_LOST} makes an empty one, and the next up takes a full backup`,
  );
}

/** What an operator gives up. */
export interface LostBackups extends KnownBackups {
  /** Id of the folder that the stack had; undefined: it is not known. */
  readonly folder: string | undefined;
  /** Image of the server, whose user is to own the new volume. */
  readonly image: string;
  readonly dataVolume: string;
}

/**
 * What is lost: the volume, or what it or the folder on the host held, where another one is there now.
 *
 * @throws UserError where the folder is the one that it was.
 */
export async function whatIsLost(
  { folder, ...known }: LostBackups,
  target: Target,
): Promise<"volume" | "folder"> {
  if (await isGone(known)) return "volume";
  const { id } = await readBackupFolder(target, FOLDER_MILLISECONDS);
  if (folder === undefined || id !== folder) return "folder";
  throw new UserError(`nothing was changed: the backups of stack ${known.stack} are where they were`);
}

/** Makes an empty volume in the place of the one that is gone, with the data volume's labels and a mark of what it replaces. */
export async function replaceLostVolume(lost: LostBackups & { readonly volume: string }): Promise<void> {
  const { stack, volume, image, folder = UNKNOWN_FOLDER } = lost;
  const docker = dockerEngine(lost.dockerHost);
  const labels = { [LABEL_STACK]: stack, ...(await findVolume(docker, lost.dataVolume))?.Labels };
  await docker.createVolume({ Name: volume, Driver: "local", Labels: labels });
  await ownVolume(docker, { volume, image });
  const content = JSON.stringify({ format: 1, stack, id: randomUUID(), replaces: folder });
  await writeVolumeFiles(docker, {
    ...{ volume, image, directory: "", labels: { [LABEL_STACK]: stack } },
    files: [{ path: "pgstack-backups.json", content: `${content}\n`, mode: 0o600 }],
  });
}

async function isGone({ volume, dockerHost }: KnownBackups): Promise<boolean> {
  return volume !== undefined && (await findVolume(dockerEngine(dockerHost), volume)) === undefined;
}
