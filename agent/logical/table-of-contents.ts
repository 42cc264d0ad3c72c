import { existsSync } from "node:fs";
import { readFile, rm } from "node:fs/promises";
import { join } from "node:path";
import type { AgentConfiguration } from "../configuration.ts";
import type { Context } from "../context.ts";
import { output } from "../program.ts";
import { DUMP } from "./dump.ts";
import { logicalDirectory } from "./folder.ts";
import type { RelationName } from "./names.ts";
import { restoreFrom } from "./read-back.ts";

/** What a dump has, a line an entry: type, schema or `-`, name, owner. Quick, whatever the dump's size. */
export async function tableOfContents(
  configuration: AgentConfiguration,
  id: string,
  context: Pick<Context, "signal">,
): Promise<string[]> {
  const folder = join(logicalDirectory(configuration), id);
  const directory = join(folder, DUMP.folder);
  const list = join(configuration.scratchDirectory, `contents-${id}-${process.pid}.list`);
  try {
    const options = ["--list", `--file=${list}`];
    if (existsSync(directory))
      await output("pg_restore", [...options, directory], { signal: context.signal });
    else await restoreFrom(configuration, folder, options, {}, context);
    return entriesOf(await readFile(list, "utf8"));
  } finally {
    await rm(list, { force: true });
  }
}

/** The entries of what `pg_restore --list` prints, without their numbers. */
export function entriesOf(list: string): string[] {
  return list.split("\n").flatMap((line) => /^\d+; \d+ \d+ (.*)$/.exec(line)?.[1] ?? []);
}

const RELATIONS = ["TABLE", "VIEW", "MATERIALIZED VIEW", "FOREIGN TABLE", "SEQUENCE"];

/** Whether a dump has a relation. Names with blanks can hide one another: what is restored is looked at again. */
export function hasRelation(entries: readonly string[], { schema, name }: RelationName): boolean {
  const wanted = RELATIONS.map((type) => oneLine(`${type} ${schema} ${name} `));
  return entries.some((entry) => wanted.some((start) => entry.startsWith(start)));
}

/** Whether a dump has a schema, or something in it: an unchanged `public` is no entry of its own. */
export function hasSchema(entries: readonly string[], schema: string): boolean {
  const name = oneLine(schema);
  const starts = [
    `SCHEMA - ${name} `,
    ...[...RELATIONS, "FUNCTION", "TYPE"].map((type) => `${type} ${name} `),
  ];
  return entries.some((entry) => starts.some((start) => entry.startsWith(start)));
}

/** pg_restore puts a blank in place of each end of a line. */
function oneLine(text: string): string {
  return text.replaceAll(/[\r\n]/g, " ");
}
