import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdir, readdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { PROJECT } from "../support/settings.ts";
import { temporaryFolder } from "../support/temporary-folder.ts";

const PRELOADED = join(PROJECT, "toolchain", "lazy-modules.cjs");

/** Starts a program of this name, ends it by SIGINT once it has loaded its module, and counts what is kept of that. */
async function keptOf(program: string): Promise<{ signal: NodeJS.Signals | null; kept: number }> {
  const folder = await temporaryFolder();
  const cache = join(folder, "compiled");
  await mkdir(join(folder, "cmd", program), { recursive: true });
  const main = join(folder, "cmd", program, "index.js");
  await writeFile(join(folder, "operation.ts"), "export const ready: string = 'ready';\n");
  await writeFile(
    main,
    "import('../../operation.ts').then(({ ready }) => { console.log(ready); setInterval(() => {}, 1000); });\n",
  );
  const child = spawn(process.execPath, ["--require", PRELOADED, main], {
    env: { ...process.env, NODE_COMPILE_CACHE: cache },
    stdio: ["ignore", "pipe", "inherit"],
  });
  const ended = once(child, "close");
  await once(child.stdout, "data");
  child.kill("SIGINT");
  const [, signal] = await ended;
  const entries = await readdir(cache, { recursive: true, withFileTypes: true });
  return { signal, kept: entries.filter((entry) => entry.isFile()).length };
}

describe("Pulumi's hosts of providers and policies", () => {
  test.each(["dynamic-provider", "run-policy-pack"])(
    "%s keeps what it has compiled when Pulumi ends it by SIGINT, and still ends by that",
    async (program) => {
      const { signal, kept } = await keptOf(program);
      expect(signal).toBe("SIGINT");
      expect(kept).toBeGreaterThan(1);
    },
  );
});
