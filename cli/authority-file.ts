import { readFile } from "node:fs/promises";
import { join } from "node:path";
import type { ServerTrust } from "../operations/target.ts";
import { STATE_DIRECTORY } from "../toolchain/directories.mjs";

/**
 * Path of a file with the stack's certificate authority, as it stands in the stack's outputs; written when it is not
 * there, as in a checkout other than the one that brought the stack up. Undefined when there is none to name.
 */
export async function authorityFile(
  stack: string,
  trust: ServerTrust | undefined,
): Promise<string | undefined> {
  const authority = trust?.authority;
  if (authority === undefined) return undefined;
  const path = join(STATE_DIRECTORY, "stacks", stack, "ca.crt");
  const there = await readFile(path, "utf8").catch(() => undefined);
  if (there !== authority) {
    const { writeAuthorityFile } = await import("../operations/connection-info.ts");
    await writeAuthorityFile(path, authority);
  }
  return path;
}
