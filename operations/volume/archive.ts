import type Docker from "dockerode";
import { extract, type Header, pack } from "tar-stream";
import { isNotFound } from "../docker.ts";

/** One entry of an archive that is to be made; directories and links have no content. */
export interface ArchiveEntry {
  readonly header: Partial<Header> & Pick<Header, "name">;
  readonly content?: Buffer;
}

/** A tar archive of the entries, in their order. */
export async function makeArchive(entries: readonly ArchiveEntry[]): Promise<Buffer> {
  const archive = pack();
  for (const entry of entries) {
    if (entry.content === undefined) archive.entry(entry.header);
    else archive.entry(entry.header, entry.content);
  }
  archive.finalize();
  const chunks: Buffer[] = [];
  for await (const chunk of archive) chunks.push(chunk as Buffer);
  return Buffer.concat(chunks);
}

/** A regular file as a container holds it. */
export interface ContainerFile {
  readonly content: Buffer;
  /** Permission bits. */
  readonly mode: number;
}

/**
 * Reads one regular file of a container, running or not, piece by piece.
 *
 * @returns The file's permission bits; undefined when there is no such file.
 */
export async function streamContainerFile(
  container: Docker.Container,
  path: string,
  onPiece: (piece: Buffer) => void,
): Promise<number | undefined> {
  let stream: NodeJS.ReadableStream;
  try {
    stream = await container.getArchive({ path });
  } catch (error) {
    if (isNotFound(error)) return undefined;
    throw error;
  }
  let mode: number | undefined;
  for await (const entry of entriesOf(stream)) {
    const wanted: boolean = mode === undefined && entry.header.type === "file";
    if (wanted) mode = entry.header.mode & 0o7777;
    for await (const piece of entry) if (wanted) onPiece(piece as Buffer);
  }
  return mode;
}

/** One regular file of a container, running or not; undefined when there is no such file. */
export async function readContainerFile(
  container: Docker.Container,
  path: string,
): Promise<ContainerFile | undefined> {
  const pieces: Buffer[] = [];
  const mode = await streamContainerFile(container, path, (piece) => pieces.push(piece));
  return mode === undefined ? undefined : { content: Buffer.concat(pieces), mode };
}

/** True when a folder of a container holds nothing but what a file system makes by itself. Reads no further than needed. */
export async function isEmptyContainerFolder(container: Docker.Container, path: string): Promise<boolean> {
  const stream = (await container.getArchive({ path })) as NodeJS.ReadableStream & { destroy(): void };
  try {
    for await (const entry of entriesOf(stream)) {
      const [, below = ""] = /^[^/]+\/(.*?)\/?$/.exec(entry.header.name) ?? [];
      if (below !== "" && below !== "lost+found") return false;
      entry.resume();
    }
    return true;
  } finally {
    stream.destroy();
  }
}

function entriesOf(stream: NodeJS.ReadableStream) {
  const reader = extract();
  stream.on("error", (error: Error) => reader.destroy(error));
  // Its types come from another stream library; it is a writable stream of Node's all the same.
  stream.pipe(reader as unknown as NodeJS.WritableStream);
  return reader;
}
