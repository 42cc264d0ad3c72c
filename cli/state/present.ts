import { mkdir, rename } from "node:fs/promises";
import { join } from "node:path";
import { UserError } from "../../operations/user-error.ts";
import { checkpointFile, isOwnBackend } from "../../toolchain/own-stacks.mjs";
import { stateBackupsDirectory } from "../../toolchain/state-backups.mjs";
import { NotProvisioned, UnreadableState, WrongPassphrase } from "../exit-codes.ts";
import { pulumi } from "../pulumi.ts";
import { knowsServer, type SavedDeployment } from "./saved.ts";

/**
 * How the present state of a stack is: `whole` (it can be read and knows the server), `empty` (it can be read and does not),
 * `gone`, `damaged`, or `locked` (the passphrase is another one).
 */
export type Condition = "whole" | "empty" | "gone" | "damaged" | "locked";

/** What the present state is, in words. */
export const CONDITION_WORDS: Readonly<Record<Condition, string>> = {
  whole: "whole",
  empty: "knows nothing of the server",
  gone: "gone",
  damaged: "damaged",
  locked: "encrypted with another passphrase",
};

/** Looks at the present state, its secrets included. @throws UserError when the backend itself does not answer. */
export async function presentCondition(stack: string): Promise<Condition> {
  try {
    const outputs: unknown = JSON.parse(await pulumi(stack, "stack", "output", "--json", "--show-secrets"));
    if (typeof outputs !== "object" || outputs === null || !("connection" in outputs)) return "empty";
    // Outputs stay where the resources are gone.
    const exported: unknown = JSON.parse(await pulumi(stack, "stack", "export"));
    return knowsServer(exported as SavedDeployment) ? "whole" : "empty";
  } catch (error) {
    if (error instanceof NotProvisioned) return "gone";
    if (error instanceof UnreadableState) return "damaged";
    if (error instanceof WrongPassphrase) return "locked";
    throw error;
  }
}

/** Refuses where {@link putAside} cannot be done from here. */
export function requireMovable(stack: string): void {
  if (isOwnBackend(process.env)) return;
  throw new UserError(
    `the state of stack ${stack} in ${process.env["PULUMI_BACKEND_URL"]} can't be read: move the file .pulumi/stacks/pgstack/${stack}.json away there, then run this again`,
  );
}

/**
 * Puts a state that Pulumi cannot read beside the saved ones, so that it can be looked at later.
 *
 * @returns Where it is now.
 */
export async function putAside(stack: string): Promise<string> {
  requireMovable(stack);
  const directory = stateBackupsDirectory(stack);
  await mkdir(directory, { recursive: true, mode: 0o700 });
  const aside = join(directory, `unreadable-${new Date().toISOString().replaceAll(/[-:.]/g, "")}.json`);
  await rename(checkpointFile(stack), aside);
  return aside;
}
