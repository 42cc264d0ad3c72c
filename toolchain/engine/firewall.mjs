import { rm, symlink } from "node:fs/promises";
import { join } from "node:path";

import { runProgram } from "./run-program.mjs";

/** The two implementations of iptables, the kernel's newer interface first. */
const IMPLEMENTATIONS = ["xtables-nft-multi", "xtables-legacy-multi"];

const COMMANDS = [
  "iptables",
  "ip6tables",
  "iptables-save",
  "ip6tables-save",
  "iptables-restore",
  "ip6tables-restore",
];

/**
 * Gives the engine an iptables that the kernel understands: the machine's own
 * where there is one, since rules of two implementations get in each other's
 * way, else the first of ours that works.
 *
 * @param {string} programs the folder with the engine's programs, `bin` below it
 * @param {NodeJS.ProcessEnv} environment the engine's
 * @returns {Promise<boolean>} false where none works
 */
export async function chooseIptables(programs, environment) {
  const folder = join(programs, "bin");
  await Promise.all(COMMANDS.map((command) => rm(join(folder, command), { force: true })));
  if (await works("iptables", environment)) {
    return true;
  }
  for (const implementation of IMPLEMENTATIONS) {
    await Promise.all(COMMANDS.map((command) => rm(join(folder, command), { force: true })));
    // They tell by the name they are called by what they are to do.
    await Promise.all(COMMANDS.map((command) => symlink(implementation, join(folder, command))));
    if (await works(join(folder, "iptables"), environment)) {
      return true;
    }
  }
  return false;
}

/**
 * @param {string} program
 * @param {NodeJS.ProcessEnv} environment
 * @returns {Promise<boolean>}
 */
async function works(program, environment) {
  try {
    await Promise.all([
      runProgram(program, ["--wait", "--table", "nat", "--list-rules"], { env: environment }),
      runProgram(program, ["--wait", "--table", "filter", "--list-rules"], { env: environment }),
    ]);
    return true;
  } catch {
    return false;
  }
}
