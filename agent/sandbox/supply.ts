import { spawn } from "node:child_process";
import { constants } from "node:fs";
import { chmod, open, rm } from "node:fs/promises";
import { join } from "node:path";
import { messageOf } from "../failure.ts";
import type { sessionFiles } from "./places.ts";

/**
 * Puts a file of the archive to a path.
 *
 * @param control A folder with the files of the cluster by which its archive is known, and nothing else.
 * @returns 0, or the exit code that recovery is to see: 1 when the archive has no such file.
 */
export type Supplier = (name: string, path: string, control: string) => Promise<number>;

/** Segments, also the beginning of one, and the histories of timelines: nothing else is in an archive that recovery asks for. */
const NAME = /^([0-9A-F]{24}(\.partial)?|[0-9A-F]{8}\.history)$/;
const FAILED = 1;
const LONGEST_NAME = 64;

/**
 * Answers what the sandbox's recovery asks of the archive, which it does not have.
 *
 * @returns What ends it.
 */
export async function supplyLog(
  files: ReturnType<typeof sessionFiles>,
  supplier: Supplier,
): Promise<() => Promise<void>> {
  const answers = await open(files.answers, constants.O_RDWR | constants.O_NONBLOCK);
  // Opened for both, a pipe neither waits for its other end nor ends with it.
  const reader = spawn("sh", ["-c", 'exec cat <>"$1"', "asked", files.asked], {
    stdio: ["ignore", "pipe", "inherit"],
  });
  const ended = new Promise<void>((resolve) => reader.once("close", () => resolve()));
  const answered = answerEach(shortLines(reader.stdout), files, supplier, async (line) => {
    await answers.write(`${line}\n`);
  });
  return async () => {
    reader.kill("SIGKILL");
    await Promise.all([ended, answered]);
    await answers.close();
  };
}

/** Lines as long as a name may be; the sandbox could send one without an end. */
async function* shortLines(stream: AsyncIterable<Buffer>): AsyncGenerator<string> {
  let rest = "";
  for await (const piece of stream) {
    const lines = (rest + piece.toString("latin1")).split("\n");
    rest = (lines.pop() ?? "").slice(0, LONGEST_NAME);
    yield* lines;
  }
}

async function answerEach(
  names: AsyncIterable<string>,
  { supply, control }: ReturnType<typeof sessionFiles>,
  supplier: Supplier,
  answer: (line: string) => Promise<void>,
): Promise<void> {
  let former = "";
  for await (const name of names) {
    if (!NAME.test(name)) continue;
    // Whoever asks for the next has copied the one before.
    if (former !== "") await rm(join(supply, former), { force: true });
    former = name;
    const path = join(supply, name);
    const code = await supplier(name, path, control).catch((error: unknown) => {
      console.error(`${name} of the archive cannot be supplied: ${messageOf(error)}`);
      return FAILED;
    });
    if (code === 0) await chmod(path, 0o640);
    await answer(`${name} ${code}`).catch(() => {});
  }
}
