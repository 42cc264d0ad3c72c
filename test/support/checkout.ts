import { execFile } from "node:child_process";
import { cp, mkdtemp, readdir, readFile, rm, symlink } from "node:fs/promises";
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
    const checkout = new Checkout(await mkdtemp(join(tmpdir(), "pgstack-checkout-")), stacks);
    await checkout.#copyPresent();
    return checkout;
  }

  /** One of an earlier commit, without git; {@link bringUpToDate} puts the present code in its place. */
  static async at(commit: string, stacks: readonly string[]): Promise<Checkout> {
    const checkout = new Checkout(await mkdtemp(join(tmpdir(), "pgstack-checkout-")), stacks);
    const archive = join(checkout.folder, ".pgstack.tar");
    try {
      const options = { cwd: PROJECT_DIRECTORY };
      await run("git", ["archive", "--format=tar", `--output=${archive}`, commit], options);
      await run("tar", ["-xf", archive, "-C", checkout.folder]);
      await checkout.#linkPackages();
    } catch (error) {
      await checkout.remove();
      throw error;
    } finally {
      await rm(archive, { force: true });
    }
    return checkout;
  }

  /** The present code in place of the earlier; state, passphrase, logs and the stacks' settings stay, as with git. */
  async bringUpToDate(): Promise<void> {
    const kept = new Set([...NOT_COPIED, ...this.#stacks.map((stack) => `Pulumi.${stack}.yaml`)]);
    for (const entry of await readdir(this.folder)) {
      if (!kept.has(entry)) await rm(join(this.folder, entry), { recursive: true });
    }
    await this.#copyPresent();
    await rm(join(this.folder, "node_modules"), { recursive: true, force: true });
    await this.#linkPackages();
  }

  async #copyPresent(): Promise<void> {
    for (const entry of await readdir(PROJECT_DIRECTORY)) {
      if (!NOT_COPIED.has(basename(entry))) {
        await cp(join(PROJECT_DIRECTORY, entry), join(this.folder, entry), { recursive: true });
      }
    }
  }

  /** The packages of this checkout, where they are what the lock file asks for; others are installed by the set-up. */
  async #linkPackages(): Promise<void> {
    const [theirs, ours] = await Promise.all(
      [this.folder, PROJECT_DIRECTORY].map((folder) => readFile(join(folder, "package-lock.json"), "utf8")),
    );
    if (theirs === ours)
      await symlink(join(PROJECT_DIRECTORY, "node_modules"), join(this.folder, "node_modules"));
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
