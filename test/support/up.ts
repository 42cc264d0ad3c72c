import { mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import type { Ended, TestProject } from "./project.ts";

/** What a run told as errors, each once: Pulumi shows an error as it comes, and again at the end. */
export function errorsOf({ output }: Ended): string[] {
  return [
    ...new Set(output.split("\n").flatMap((line) => /error: (.+)$/.exec(line)?.[1]?.trim() ?? [])),
  ].filter((line) => line !== "update failed");
}

/** Writes a file of SQL into the project; its name for the settings. */
export async function writeSql(project: TestProject, name: string, sql: string): Promise<string> {
  await mkdir(join(project.directory, "sql"), { recursive: true });
  await writeFile(join(project.directory, "sql", name), sql);
  return `sql/${name}`;
}
