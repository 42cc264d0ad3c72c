import { rename, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";

/** How far the log is in the backup place: what a health check compares with the server's own place, and with the file. */
export interface ReceivedMark {
  /** LSN. */
  readonly lsn: string;
  /** The file that holds the last of it, and how many bytes it has at least. */
  readonly path: string;
  readonly bytes: number;
}

/** In the agent's container, whose /tmp is in memory; a line for each of lsn, bytes and path, for a shell to read. */
export const MARK_FILE = join(tmpdir(), "pgstack-received");

/** Tells how far the log is safe now. */
export async function writeMark({ lsn, path, bytes }: ReceivedMark): Promise<void> {
  await writeFile(`${MARK_FILE}.new`, `${lsn}\n${bytes}\n${path}\n`, { mode: 0o600 });
  await rename(`${MARK_FILE}.new`, MARK_FILE);
}
