import { IDENTITY_FILE, identityText, newIdentity } from "../agent/identity.ts";
import { dockerEngine, findVolume } from "./docker.ts";
import { NoAgent, REPLACE_LOST, readBackupFolder, UNKNOWN_FOLDER } from "./health/backup-folder.ts";
import { LABEL_STACK, type Target } from "./target.ts";
import { UserError } from "./user-error.ts";
import { ownVolume, writeVolumeFiles } from "./volume-files.ts";

/**
 * Refuses where the volume with a stack's backups is gone: an empty one in its place would pass for them.
 *
 * @throws UserError with both ways out; nothing was made.
 */
export async function refuseLostBackups(stack: string, volume: string): Promise<void> {
  if (!(await isGone(volume))) return;
  throw new UserError(
    `nothing was changed: the volume ${volume} with the backups of stack ${stack} is gone. Bring it back under this name, or give them up: ./pgstack --stack ${stack} backups ${REPLACE_LOST} makes an empty one, and the next up takes a full backup`,
  );
}

/** What an operator gives up. */
export interface LostBackups {
  readonly target: Target;
  /** Undefined: they were in a folder on the Docker host. */
  readonly volume: string | undefined;
  /** Id of the folder that the stack had; undefined: it is not known. */
  readonly folder: string | undefined;
}

/**
 * What is lost: the volume, or what it or the folder on the host held, where another one is there now.
 *
 * @throws UserError where the folder is the one that it was.
 */
export async function whatIsLost({ target, volume, folder }: LostBackups): Promise<"volume" | "folder"> {
  if (volume !== undefined && (await isGone(volume, target.dockerHost))) return "volume";
  const { id } = await readBackupFolder(target).catch((error: unknown) => {
    if (!(error instanceof NoAgent)) throw error;
    throw new UserError(
      `nothing was changed: the agent of stack ${target.stack}, which alone has the backups, does not run: pgstack start starts it`,
    );
  });
  if (folder === undefined || id !== folder) return "folder";
  throw new UserError(`nothing was changed: the backups of stack ${target.stack} are where they were`);
}

/**
 * Makes an empty volume in the place of the one that is gone, with the data volume's labels and a mark of what it replaces.
 *
 * @param like The stack's data volume, and the image of its server, whose user is to own the new one.
 */
export async function replaceLostVolume(
  { target, folder = UNKNOWN_FOLDER }: LostBackups,
  volume: string,
  like: { readonly dataVolume: string; readonly image: string },
): Promise<void> {
  const { stack, dockerHost } = target;
  const { image } = like;
  const docker = dockerEngine(dockerHost);
  const labels = { [LABEL_STACK]: stack, ...(await findVolume(docker, like.dataVolume))?.Labels };
  await docker.createVolume({ Name: volume, Driver: "local", Labels: labels });
  await ownVolume(docker, { volume, image });
  const content = identityText({ ...newIdentity(stack), replaces: folder });
  await writeVolumeFiles(docker, {
    ...{ volume, image, directory: "", labels: { [LABEL_STACK]: stack } },
    files: [{ path: IDENTITY_FILE, content, mode: 0o600 }],
  });
}

async function isGone(volume: string, dockerHost?: string): Promise<boolean> {
  return (await findVolume(dockerEngine(dockerHost), volume)) === undefined;
}
