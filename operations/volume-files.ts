import { posix } from "node:path";
import type Docker from "dockerode";
import { findVolume } from "./docker.ts";
import {
  type ArchiveEntry,
  type ContainerFile,
  isEmptyContainerFolder,
  makeArchive,
  readContainerFile,
} from "./volume/archive.ts";
import { HELPER_MOUNT, withHelper } from "./volume/helper.ts";

/** A file to be written into a volume. It belongs to the image's user `postgres`. */
export interface VolumeFile {
  /** Path below the directory, for example `tls/server.key`. */
  readonly path: string;
  readonly content: string | Buffer;
  /** Permission bits, for example 0o600. */
  readonly mode: number;
}

/** What {@link writeVolumeFiles} writes where. */
export interface WriteVolumeFilesOptions {
  readonly volume: string;
  /** Image id or reference that the server runs from; its `/etc/passwd` says which ids the user `postgres` has. */
  readonly image: string;
  /** Directory below the volume's root; empty for the root itself. */
  readonly directory: string;
  readonly files: readonly VolumeFile[];
  /** Labels of the stack, for the helper container. */
  readonly labels: Readonly<Record<string, string>>;
}

/** Where {@link readVolumeFile} reads. */
export interface ReadVolumeFileOptions {
  readonly volume: string;
  readonly image: string;
  /** Path below the volume's root. */
  readonly path: string;
  readonly labels?: Readonly<Record<string, string>>;
}

interface Owner {
  readonly uid: number;
  readonly gid: number;
}

/** Directories that the stack makes in a volume: only the server's own user looks inside. */
const DIRECTORY_MODE = 0o700;

const owners = new Map<string, Owner>();

/**
 * Writes files into a volume, also of an engine elsewhere, without starting anything and without a secret in what
 * the engine tells about its containers.
 *
 * The archive first holds every file under a hidden name and then links them to their names, so a transfer that
 * breaks off changes no file that is in use, and a reader finds the old content or the new, never a part. Docker
 * unlinks a name just before it links it again; that instant is the one gap its interface leaves.
 *
 * @throws Error when the volume or the image does not exist, or a path leads out of the directory.
 */
export async function writeVolumeFiles(docker: Docker, options: WriteVolumeFilesOptions): Promise<void> {
  const files = options.files.map((file) => ({
    ...file,
    path: pathInVolume(posix.join(options.directory, file.path)),
  }));
  await withHelper(docker, { ...options, writable: true }, async (container) => {
    const owner = await ownerOf(docker, container, options.image);
    await container.putArchive(await makeArchive(entriesOf(files, owner)), {
      path: HELPER_MOUNT,
      noOverwriteDirNonDir: "1",
    });
  });
}

/** Writes files of the user `postgres` into a folder of a container that is not started yet. */
export async function writeContainerFiles(
  docker: Docker,
  container: Docker.Container,
  options: { readonly image: string; readonly folder: string; readonly files: readonly VolumeFile[] },
): Promise<void> {
  const owner = await ownerOf(docker, container, options.image);
  const { dir, base } = posix.parse(options.folder);
  const files = options.files.map((file) => ({ ...file, path: posix.join(base, file.path) }));
  await container.putArchive(await makeArchive(entriesOf(files, owner)), { path: dir });
}

/**
 * Gives a volume's root to the image's user `postgres`. Docker does so by itself only where the image has the folder that
 * the volume is mounted at.
 */
export async function ownVolume(
  docker: Docker,
  options: { readonly volume: string; readonly image: string },
): Promise<void> {
  await withHelper(docker, { ...options, writable: true }, async (container) => {
    const owner = await ownerOf(docker, container, options.image);
    const { dir: path, base: name } = posix.parse(HELPER_MOUNT);
    const header = { name, type: "directory" as const, mode: DIRECTORY_MODE, mtime: new Date(), ...owner };
    await container.putArchive(await makeArchive([{ header }]), { path });
  });
}

/** Content of one file of a volume; undefined when the file or the volume does not exist. */
export async function readVolumeFile(
  docker: Docker,
  options: ReadVolumeFileOptions,
): Promise<Buffer | undefined> {
  return (await readVolumeFiles(docker, { ...options, paths: [options.path] })).get(options.path)?.content;
}

/** Like {@link readVolumeFiles}, and tells whether anything at all is in the volume, which must exist. */
export async function lookIntoVolume(
  docker: Docker,
  options: Omit<ReadVolumeFileOptions, "path"> & { readonly paths: readonly string[] },
): Promise<{ empty: boolean; files: Map<string, ContainerFile> }> {
  return await withHelper(docker, { ...options, writable: false }, async (container) => {
    const files = await readAll(container, options.paths);
    return { empty: files.size === 0 && (await isEmptyContainerFolder(container, HELPER_MOUNT)), files };
  });
}

/** Content and mode of several files of a volume by one helper; files that do not exist are left out. */
export async function readVolumeFiles(
  docker: Docker,
  options: Omit<ReadVolumeFileOptions, "path"> & { readonly paths: readonly string[] },
): Promise<Map<string, ContainerFile>> {
  if ((await findVolume(docker, options.volume)) === undefined) return new Map();
  return await withHelper(docker, { ...options, writable: false }, (container) =>
    readAll(container, options.paths),
  );
}

async function readAll(
  container: Docker.Container,
  paths: readonly string[],
): Promise<Map<string, ContainerFile>> {
  const found = new Map<string, ContainerFile>();
  for (const path of paths) {
    const file = await readContainerFile(container, posix.join(HELPER_MOUNT, pathInVolume(path)));
    if (file !== undefined) found.set(path, file);
  }
  return found;
}

/** Ids of the user `postgres` by the text of `/etc/passwd`; undefined when it has none. */
export function postgresOwner(passwd: string): Owner | undefined {
  const fields = passwd
    .split("\n")
    .find((line) => line.startsWith("postgres:"))
    ?.split(":");
  const [uid, gid] = [Number(fields?.[2]), Number(fields?.[3])];
  return Number.isInteger(uid) && Number.isInteger(gid) ? { uid, gid } : undefined;
}

/** The numeric id of the image's user `postgres`. */
export async function postgresUser(docker: Docker, image: string): Promise<number> {
  const container = await docker.createContainer({ Image: image, Entrypoint: ["/bin/true"], Cmd: [] });
  try {
    return (await ownerOf(docker, container, image)).uid;
  } finally {
    await container.remove({ force: true, v: true });
  }
}

async function ownerOf(docker: Docker, container: Docker.Container, image: string): Promise<Owner> {
  // The id and not the reference is the key: a tag may move to an image with other ids.
  const { Id: imageId } = await docker.getImage(image).inspect();
  const known = owners.get(imageId);
  if (known !== undefined) return known;
  const passwd = await readContainerFile(container, "/etc/passwd");
  const owner = passwd === undefined ? undefined : postgresOwner(passwd.content.toString("utf8"));
  if (owner === undefined) throw new Error(`image ${image} has no user postgres in /etc/passwd`);
  owners.set(imageId, owner);
  return owner;
}

function entriesOf(files: readonly VolumeFile[], owner: Owner): ArchiveEntry[] {
  const mtime = new Date();
  const directories = [...new Set(files.flatMap((file) => parentsOf(file.path)))].sort();
  return [
    ...directories.map((name) => ({
      header: { name, type: "directory" as const, mode: DIRECTORY_MODE, mtime, ...owner },
    })),
    ...files.map((file) => ({
      header: { name: hiddenName(file.path), type: "file" as const, mode: file.mode, mtime, ...owner },
      content: Buffer.from(file.content),
    })),
    ...files.map((file) => ({
      header: {
        name: file.path,
        type: "link" as const,
        linkname: hiddenName(file.path),
        mode: file.mode,
        mtime,
        ...owner,
      },
    })),
  ];
}

function hiddenName(path: string): string {
  return posix.join(posix.dirname(path), `.${posix.basename(path)}.new`);
}

function parentsOf(path: string): string[] {
  const parent = posix.dirname(path);
  return parent === "." ? [] : [...parentsOf(parent), parent];
}

function pathInVolume(path: string): string {
  const normal = posix.normalize(path).replace(/^\/+/, "");
  if (
    normal === "" ||
    normal === "." ||
    normal === ".." ||
    normal.startsWith("../") ||
    normal.includes("\0")
  ) {
    throw new Error(`"${path}" does not name a file below the volume's root`);
  }
  return normal;
}
