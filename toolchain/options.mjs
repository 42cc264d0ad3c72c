import { parseArgs } from "node:util";
import { UserError } from "./user-error.mjs";

/** An option that there is not, or that lacks its value. */
export class UsageError extends UserError {}

/**
 * Reads a command's options.
 *
 * @template {import("node:util").ParseArgsConfig} Config
 * @param {Config} config
 * @param {string} help The command that tells the options.
 * @returns {ReturnType<typeof parseArgs<Config>>}
 * @throws UsageError
 */
export function readOptions(config, help) {
  try {
    return parseArgs(config);
  } catch (error) {
    if (!(error instanceof TypeError && "code" in error && String(error.code).startsWith("ERR_PARSE_ARGS")))
      throw error;
    throw new UsageError(`${error.message.split(". ")[0]}; ${help} tells the options`);
  }
}
