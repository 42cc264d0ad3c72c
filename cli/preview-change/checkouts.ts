import { execFile } from "node:child_process";
import { access, mkdtemp, readFile, rm, symlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { UserError } from "../../operations/user-error.ts";
import { PROJECT_DIRECTORY } from "../../toolchain/directories.mjs";
import { type Ports, throwAwaySettings } from "./throw-away-settings.ts";

const execute = promisify(execFile);

/** Two commits of the project, each in a folder of its own. */
export interface Checkouts {
  readonly base: Checkout;
  readonly head: Checkout;
  /** Folder above them, for what both use. */
  readonly folder: string;
  remove(): Promise<void>;
}

/** One commit in a folder. */
export interface Checkout {
  readonly commit: string;
  readonly folder: string;
}

/** Checks out two commits beside each other. @throws UserError for a name that git does not know. */
export async function checkOut(base: string, head: string): Promise<Checkouts> {
  const [baseCommit, headCommit] = [await commitOf(base, "--base"), await commitOf(head, "--head")];
  const folder = await mkdtemp(join(tmpdir(), "pgstack-preview-"));
  const remove = async (): Promise<void> => {
    for (const name of ["base", "head"]) {
      await git("worktree", "remove", "--force", join(folder, name)).catch(() => {});
    }
    await rm(folder, { recursive: true, force: true });
    await git("worktree", "prune");
  };
  try {
    const checkout = async (name: string, commit: string): Promise<Checkout> => {
      const place = join(folder, name);
      await git("worktree", "add", "--quiet", "--detach", place, commit);
      await bringPackages(place);
      return { commit, folder: place };
    };
    return {
      base: await checkout("base", baseCommit),
      head: await checkout("head", headCommit),
      folder,
      remove,
    };
  } catch (error) {
    await remove();
    throw error;
  }
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

/** The checkout's own packages where the lock files are the same. */
async function bringPackages(folder: string): Promise<void> {
  const [theirs, ours] = await Promise.all(
    [folder, PROJECT_DIRECTORY].map((place) =>
      readFile(join(place, "package-lock.json"), "utf8").catch(() => ""),
    ),
  );
  const own = join(PROJECT_DIRECTORY, "node_modules");
  await access(own);
  if (theirs === ours || theirs === "") await symlink(own, join(folder, "node_modules"));
  else await execute("npm", ["ci", "--no-audit", "--no-fund"], { cwd: folder });
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
