import { readFile } from "node:fs/promises";
import { resolve } from "node:path";
import { audited } from "../../operations/audit.ts";
import { PROJECT_DIRECTORY } from "../../toolchain/directories.mjs";
import { settingsFile } from "../new-stack.ts";
import { yaml } from "../yaml.ts";

/** Records an operation on a stack whose state may not be readable: its settings file says where the log is. */
export async function auditedState<Value>(
  stack: string,
  operation: string,
  parameters: Record<string, unknown>,
  work: () => Promise<Value>,
): Promise<Value> {
  const text = await readFile(settingsFile(stack), "utf8").catch(() => "");
  const given: unknown = yaml().parseDocument(text).getIn(["config", "pgstack:logsDirectory"]);
  const logsDirectory = resolve(PROJECT_DIRECTORY, typeof given === "string" ? given : "logs");
  return await audited({ logsDirectory, stack }, operation, parameters, work);
}
