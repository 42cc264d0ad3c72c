import { execFile } from "node:child_process";
import { promisify } from "node:util";
import { UserError } from "../../operations/user-error.ts";
import { PROJECT_DIRECTORY } from "../../toolchain/directories.mjs";
import { driftOf } from "../drift.ts";
import { examine } from "../examine.ts";
import { previewStack } from "../pulumi-preview.ts";
import type { Stack, StackWithCredentials } from "../stack.ts";

/** What is promoted to what, one step at a time. */
const ORDER = ["development", "test", "staging", "production"];

/** @throws UserError when the order is skipped or turned round. */
export function requireOrder(from: string, source: string, to: string, target: string): void {
  const next = ORDER[ORDER.indexOf(source) + 1];
  if (target === next) return;
  throw new UserError(
    `nothing was changed: ${from} is for ${source} and ${to} for ${target}; ${
      next === undefined ? `nothing comes after ${source}` : `from ${source} it goes to ${next}`
    } (${ORDER.join(", ")})`,
  );
}

/** The commit that the checkout is at. @throws UserError where something in it is not committed. */
export async function requireCleanCommit(): Promise<string> {
  const git = async (...words: string[]) =>
    (await promisify(execFile)("git", words, { cwd: PROJECT_DIRECTORY })).stdout.trim();
  let changed: string;
  let commit: string;
  try {
    [changed, commit] = await Promise.all([
      git("status", "--porcelain", "--untracked-files=normal"),
      git("rev-parse", "HEAD"),
    ]);
  } catch (error) {
    throw new UserError(
      "nothing was changed: the project is in no git repository with a commit, so nobody could tell what is promoted",
      { cause: error },
    );
  }
  if (changed === "") return commit;
  const files = changed.split("\n").map((line) => line.slice(2).trim());
  throw new UserError(
    `nothing was changed: not committed yet: ${files.slice(0, 5).join(", ")}${files.length > 5 ? ", …" : ""}; commit, bring the source up with it, then promote`,
  );
}

/** @throws UserError naming the checks that fail. */
export async function requireHealthy(name: string, stack: StackWithCredentials): Promise<void> {
  const report = await examine(stack, true);
  if (report.status !== "failed") return;
  const failed = report.checks.filter(({ status }) => status === "failed").map(({ name: check }) => check);
  throw new UserError(
    `stack ${name} is not healthy: ${failed.join(", ")} (pgstack --stack ${name} health --full)`,
  );
}

/** @throws UserError where a stack is not what the checkout says: then something else was proven in it. */
export async function requireNoChanges(name: string, signal: AbortSignal): Promise<void> {
  const { drift, pending } = driftOf(await previewStack(name, { signal }));
  const all = [...drift, ...pending];
  if (all.length === 0) return;
  throw new UserError(
    `nothing was changed: stack ${name} is not what this commit says: ${all
      .map(({ operation, resource }) => `${operation} ${resource}`)
      .join(", ")} (pgstack --stack ${name} drift); bring it up first`,
  );
}

/** @throws UserError where what runs is not the image that was proven. */
export function requireSameImage(source: Stack, target: Stack): void {
  if (source.image === undefined || source.image.pinned === target.image?.pinned) return;
  throw new UserError(
    `the image is ${target.image?.pinned ?? "unknown"}, and ${source.image.pinned} was proven`,
  );
}
