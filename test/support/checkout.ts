import { execFile } from "node:child_process";
import { cp, mkdtemp, readdir, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { basename, join } from "node:path";
import { promisify } from "node:util";
import { removeContainers, removeStorage } from "../../operations/stack-things.ts";
import { PROJECT_DIRECTORY } from "../../toolchain/directories.mjs";
import { endProcessesIn } from "./processes.ts";

const run = promisify(execFile);
/** What a checkout does not bring. */
const NOT_COPIED = new Set([".pgstack", ".git", "logs", "node_modules"]);

/** A checkout of its own that knows nothing of this run, for what users type in one. */
export class Checkout {
  readonly folder: string;
  readonly #stacks: readonly string[];

  private constructor(folder: string, stacks: readonly string[]) {
    this.folder = folder;
    this.#stacks = stacks;
  }

  /** @param stacks What it is going to bring up, to be removed with it. */
  static async make(stacks: readonly string[]): Promise<Checkout> {
    const folder = await mkdtemp(join(tmpdir(), "pgstack-checkout-"));
    for (const entry of await readdir(PROJECT_DIRECTORY)) {
      if (!NOT_COPIED.has(basename(entry))) {
        await cp(join(PROJECT_DIRECTORY, entry), join(folder, entry), { recursive: true });
      }
    }
    return new Checkout(folder, stacks);
  }

  /** What a line prints when a shell runs it. @throws when it fails. */
  async line(command: string, environment: Readonly<Record<string, string>> = {}): Promise<string> {
    const {
      PGSTACK_IMAGE: _image,
      PULUMI_HOME: _home,
      PULUMI_BACKEND_URL: _backend,
      PULUMI_CONFIG_PASSPHRASE_FILE: _passphrase,
      ...env
    } = process.env;
    const options = { cwd: this.folder, env: { ...env, ...environment }, maxBuffer: 64 * 1024 ** 2 };
    try {
      const { stdout, stderr } = await run("bash", ["-c", command], options);
      return stdout + stderr;
    } catch (error) {
      const { stdout, stderr } = error as { stdout?: string; stderr?: string };
      throw new Error(`${command}:\n${stdout}${stderr}`, { cause: error });
    }
  }

  async remove(): Promise<void> {
    await endProcessesIn(this.folder);
    for (const stack of this.#stacks) await removeContainers(stack);
    for (const stack of this.#stacks) await removeStorage(stack);
    await rm(this.folder, { recursive: true, force: true });
  }
}
