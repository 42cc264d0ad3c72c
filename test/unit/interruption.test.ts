import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { describe, expect, onTestFinished, test } from "vitest";
import {
  EXIT,
  EXIT_CODES_HELP,
  exitCodeOf,
  Interrupted,
  NotProvisioned,
  UsageError,
} from "../../cli/exit-codes.ts";
import { UserError } from "../../operations/user-error.ts";
import { runAttached } from "../../toolchain/run.mjs";
import { PROJECT } from "../support/settings.ts";

const PROGRAM = join(PROJECT, "test", "support", "interruption-program.ts");

function start(words: readonly string[]): ChildProcess {
  const child = spawn(process.execPath, words, { stdio: ["ignore", "pipe", "pipe"] });
  onTestFinished(() => void child.kill("SIGKILL"));
  return child;
}

/** A program that is at work, and its lines from then on. */
async function working(word: string) {
  const child = start([PROGRAM, word]);
  const ended = once(child, "close");
  const lines = createInterface(child.stdout as NodeJS.ReadableStream);
  await once(lines, "line");
  return { child, lines, ended };
}

describe("the exit code of what was interrupted [P4]", () => {
  test("is 130, and every other one is as the help says", () => {
    expect(
      [new Interrupted(""), new UsageError(""), new NotProvisioned(""), new UserError(""), new Error("")].map(
        exitCodeOf,
      ),
    ).toEqual([130, 2, 3, 1, 1]);
    for (const code of [EXIT.ok, EXIT.failed, EXIT.usage, EXIT.notProvisioned, EXIT.interrupted])
      expect(EXIT_CODES_HELP).toMatch(new RegExp(`^ {2}${code} +\\w`, "m"));
  });

  test("is 130 at once, and after what had to be put in order", async () => {
    for (const word of ["at-once", "in-order"]) {
      const { child, ended } = await working(word);
      child.kill("SIGINT");
      expect(await ended, word).toEqual([130, null]);
    }
  });

  test("is 130 at the second Ctrl-C, which is not the first one twice", async () => {
    const { child, lines, ended } = await working("stubborn");
    child.kill("SIGINT");
    expect(await Promise.race([once(lines, "line"), ended])).toEqual(["told"]);
    await expect
      .poll(() => {
        child.kill("SIGINT");
        return child.exitCode;
      })
      .toBe(130);
    await ended;
  });

  test("is 130 of the set-up, with the one line that says how to go on", async () => {
    const script = `
      const { runMain } = await import(${JSON.stringify(join(PROJECT, "toolchain", "main.mjs"))});
      const { interruption, run } = await import(${JSON.stringify(join(PROJECT, "toolchain", "run.mjs"))});
      await runMain(async () => {
        setTimeout(() => interruption.abort(), 100);
        await run("sleep", ["60"]);
        return 0;
      });`;
    const child = start(["--input-type=module", "--eval", script]);
    let said = "";
    child.stderr?.on("data", (piece) => {
      said += String(piece);
    });
    expect(await once(child, "close")).toEqual([130, null]);
    expect(said).toBe("interrupted; run the same command again to go on\n");
  });

  test.each([
    ["SIGINT", 130],
    ["SIGTERM", 143],
  ])("is that of the program that was started, by %s", async (signal, code) => {
    expect(await runAttached(process.execPath, ["--eval", `process.kill(process.pid, "${signal}")`])).toBe(
      code,
    );
  });
});
