import { execFile } from "node:child_process";
import { existsSync } from "node:fs";
import { mkdir, mkdtemp, readFile, realpath, rm, symlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { UserError } from "../../operations/user-error.ts";
import { PROJECT_DIRECTORY } from "../../toolchain/directories.mjs";
import { packagesEnvironment, throwAwayEnvironment } from "./environment.ts";
import { type Ports, throwAwaySettings } from "./throw-away-settings.ts";

const execute = promisify(execFile);

/** Two commits of the project, each in a folder of its own. */
export interface Checkouts {
  readonly base: Checkout;
  readonly head: Checkout;
  /** Folder above them, for what both use. */
  readonly folder: string;
  /** What the code of both runs with. */
  readonly environment: Readonly<Record<string, string>>;
  /** Files of the change that run in its preview. */
  readonly changedCode: readonly string[];
  remove(): Promise<void>;
}

/** One commit in a folder. */
export interface Checkout {
  readonly commit: string;
  readonly folder: string;
}

/**
 * Puts two commits beside each other: their files alone, so that nothing in them leads to the caller's checkout.
 *
 * @throws UserError for a name that git does not know.
 */
export async function checkOut(base: string, head: string): Promise<Checkouts> {
  const [baseCommit, headCommit] = [await commitOf(base, "--base"), await commitOf(head, "--head")];
  const folder = await mkdtemp(join(tmpdir(), "pgstack-preview-"));
  const remove = () => rm(folder, { recursive: true, force: true });
  try {
    const environment = await throwAwayEnvironment(folder, process.env);
    const checkout = async (name: string, commit: string): Promise<Checkout> => {
      const place = join(folder, name);
      const archive = `${place}.tar`;
      await mkdir(place);
      await git("archive", "--format=tar", `--output=${archive}`, commit);
      await execute("tar", ["-xf", archive, "-C", place]);
      await rm(archive);
      await bringPackages(folder, place, environment);
      return { commit, folder: place };
    };
    return {
      base: await checkout("base", baseCommit),
      head: await checkout("head", headCommit),
      ...{ folder, environment, remove },
      changedCode: changedCode(await git("diff", "--name-only", "-z", baseCommit, headCommit)),
    };
  } catch (error) {
    await remove();
    throw error;
  }
}

/** Files of a change that a preview runs or that decide what it runs: all but texts, tests and a stack's own settings. */
export function changedCode(names: string): string[] {
  const harmless =
    /^((docs|test|bench|examples|\.github)\/|Pulumi\.[^/]+\.yaml$|[^/]+\.md$|LICENSE$|\.gitignore$|\.editorconfig$)/;
  return names.split("\0").filter((name) => name !== "" && !harmless.test(name));
}

/** Writes a stack's settings, as a commit has them, for a throw-away stack. False where the commit has no such stack. */
export async function writeThrowAwaySettings(
  { folder }: Checkout,
  stack: string,
  throwAway: string,
  ports: Ports,
): Promise<boolean> {
  const text = await readFile(join(folder, `Pulumi.${stack}.yaml`), "utf8").catch(() => undefined);
  if (text === undefined) return false;
  const settings = await throwAwaySettings(text, throwAway, ports);
  await writeFile(join(folder, `Pulumi.${throwAway}.yaml`), settings);
  return true;
}

/** A copy of the checkout's own packages, one for both commits, where the lock files are the same. */
async function bringPackages(
  folder: string,
  place: string,
  environment: Readonly<Record<string, string>>,
): Promise<void> {
  const [theirs, ours] = await Promise.all(
    [place, PROJECT_DIRECTORY].map((one) => readFile(join(one, "package-lock.json"), "utf8").catch(() => "")),
  );
  if (theirs !== ours && theirs !== "") {
    await execute("npm", ["ci", "--ignore-scripts", "--no-audit", "--no-fund"], {
      ...{ cwd: place, env: packagesEnvironment(environment, process.env) },
    });
    return;
  }
  const copy = join(folder, "node_modules");
  if (!existsSync(copy)) {
    // Not a link: what the change runs could write there.
    await execute("cp", ["-R", await realpath(join(PROJECT_DIRECTORY, "node_modules")), copy]);
  }
  await symlink(join("..", "node_modules"), join(place, "node_modules"));
}

async function commitOf(name: string, option: string): Promise<string> {
  try {
    return await git("rev-parse", "--verify", `${name}^{commit}`);
  } catch (error) {
    throw new UserError(`${option} ${JSON.stringify(name)}: git knows no such commit here`, { cause: error });
  }
}

async function git(...words: string[]): Promise<string> {
  return (await execute("git", words, { cwd: PROJECT_DIRECTORY })).stdout.trim();
}
