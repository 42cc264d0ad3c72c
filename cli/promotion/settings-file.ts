import { readFile } from "node:fs/promises";
import { settingsFile } from "../new-stack.ts";
import { yaml } from "../yaml.ts";
import type { Row } from "./carried.ts";

/** The text of a stack's settings with some of them changed; comments and everything else stay. */
export function changedSettings(
  text: string,
  rows: readonly Row[],
  record: Readonly<Record<string, string>>,
): string {
  const document = yaml().parseDocument(text);
  for (const { setting, after } of rows) {
    const [key = "", ...below] = setting.split(/\.(.*)/s).filter((part) => part !== "");
    const path = ["config", `pgstack:${key}`, ...below];
    if (after === undefined) document.deleteIn(path);
    else document.setIn(path, document.createNode(after));
  }
  document.setIn(["config", "pgstack:promotion"], document.createNode(record));
  return document.toString({ lineWidth: 0 });
}

export async function readSettings(stack: string): Promise<string> {
  return readFile(settingsFile(stack), "utf8");
}
