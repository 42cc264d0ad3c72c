import { type FileHandle, mkdir, open, rename, rm } from "node:fs/promises";
import { dirname } from "node:path";
import { syncPath } from "../files.ts";
import { SEALED } from "./folder.ts";
import type { FrameSealer } from "./sealing.ts";

/** A file that is there already, and the bytes of the segment that it holds. */
export interface Standing {
  readonly path: string;
  readonly bytes: number;
}

/** What a {@link SegmentWriter} writes. */
export interface SegmentTarget {
  readonly folder: string;
  readonly name: string;
  /** Absent: plain. */
  readonly sealer?: FrameSealer;
  /** What an earlier connection has received of it: it stays until more than that is there again. */
  readonly standing?: Standing;
}

/** Appends to the file of one segment. */
export class SegmentWriter {
  readonly name: string;
  readonly #file: FileHandle;
  readonly path: string;
  readonly #sealer: FrameSealer | undefined;
  #standing: Standing | undefined;
  #bytes = 0;
  #fileBytes: number;

  private constructor(file: FileHandle, path: string, { name, sealer, standing }: SegmentTarget) {
    this.name = name;
    this.#file = file;
    this.path = path;
    this.#sealer = sealer;
    this.#standing = standing;
    this.#fileBytes = sealer?.head.length ?? 0;
  }

  static async open(target: SegmentTarget): Promise<SegmentWriter> {
    const { folder, name, sealer, standing } = target;
    await mkdir(folder, { recursive: true, mode: 0o700 });
    const path = `${folder}/${name}${sealer === undefined ? "" : SEALED}`;
    const file = await open(standing === undefined ? path : draftOf(path), "w", 0o600);
    try {
      if (sealer !== undefined) await file.writeFile(sealer.head);
      if (standing === undefined) await syncPath(folder);
      return new SegmentWriter(file, path, target);
    } catch (error) {
      await file.close();
      throw error;
    }
  }

  /** Bytes of the segment that were written. */
  get bytes(): number {
    return this.#bytes;
  }

  /** Bytes of its file. */
  get fileBytes(): number {
    return this.#fileBytes;
  }

  async append(content: Buffer): Promise<void> {
    const written = this.#sealer?.frame(this.name, this.#bytes, content) ?? content;
    // Unlike write, it goes on until all is written.
    await this.#file.writeFile(written);
    this.#bytes += content.length;
    this.#fileBytes += written.length;
    if (this.#standing !== undefined && this.#bytes >= this.#standing.bytes)
      await this.#replace(this.#standing);
  }

  /** Makes what was written outlive a power cut. @returns false where an earlier connection's file still holds more. */
  async sync(): Promise<boolean> {
    await this.#file.datasync();
    return this.#standing === undefined;
  }

  async close(): Promise<void> {
    await this.#file.close();
  }

  async #replace(standing: Standing): Promise<void> {
    await this.#file.datasync();
    await rename(draftOf(this.path), this.path);
    if (standing.path !== this.path) await rm(standing.path, { force: true });
    await syncPath(dirname(this.path));
    this.#standing = undefined;
  }
}

function draftOf(path: string): string {
  return `${path}.new`;
}
