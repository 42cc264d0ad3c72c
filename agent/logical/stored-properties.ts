import { createWriteStream, existsSync } from "node:fs";
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { Readable } from "node:stream";
import { text as wholeText } from "node:stream/consumers";
import { pipeline } from "node:stream/promises";
import type { AgentConfiguration } from "../configuration.ts";
import { LONGEST_NAME_BYTES } from "../derived-name.ts";
import type { Role } from "../roles.ts";
import type { DatabaseProperties } from "./database-properties.ts";
import { contentOf, DUMP } from "./dump.ts";
import { readKey, seal } from "./sealed.ts";

/** Stores a database's properties in a backup's folder: a setting may be a secret. */
export async function storeProperties(
  configuration: AgentConfiguration,
  folder: string,
  properties: DatabaseProperties,
): Promise<void> {
  await store(configuration, join(folder, DUMP.properties), properties);
}

/** The properties that a backup's folder holds; undefined in one that was taken before they were stored. */
export async function storedProperties(
  configuration: AgentConfiguration,
  folder: string,
): Promise<DatabaseProperties | undefined> {
  const text = await stored(configuration, join(folder, DUMP.properties));
  return text === undefined ? undefined : (JSON.parse(text) as DatabaseProperties);
}

/** Stores the roles of the server in a backup's folder. */
export async function storeRoles(
  configuration: AgentConfiguration,
  folder: string,
  roles: readonly Role[],
): Promise<void> {
  await store(configuration, join(folder, DUMP.roles), roles);
}

/** Names of the roles that a backup's folder holds. */
export async function storedRoleNames(configuration: AgentConfiguration, folder: string): Promise<string[]> {
  const text = await stored(configuration, join(folder, DUMP.roles));
  if (text !== undefined) return (JSON.parse(text) as Role[]).map(({ name }) => name);
  return roleNamesOf((await stored(configuration, join(folder, DUMP.formerRoles))) ?? "");
}

/**
 * Names of the roles in what pg_dumpall has written for an older backup. Whatever else looks like one, in a comment or a
 * name of several lines, is but one more name: nothing of the text is ever run.
 */
export function roleNamesOf(script: string): string[] {
  const names = [...script.matchAll(/^CREATE ROLE (?:"((?:[^"]|"")+)"|([^\s";]+));$/gm)].map(
    ([, quoted, plain]) => quoted?.replaceAll('""', '"') ?? plain ?? "",
  );
  // PostgreSQL has no role of such a name, so that it is none.
  return [...new Set(names)].filter(
    (name) => Buffer.byteLength(name) <= LONGEST_NAME_BYTES && !/^(pg_.*|public|none)$/s.test(name),
  );
}

/** As JSON, encrypted where backups are. */
async function store(
  { logical: { encrypted, keyFile } }: AgentConfiguration,
  path: string,
  value: unknown,
): Promise<void> {
  const text = `${JSON.stringify(value, undefined, 2)}\n`;
  if (!encrypted) return writeFile(path, text, { mode: 0o600 });
  const sealed = seal(await readKey(keyFile), Readable.from([Buffer.from(text)]));
  await pipeline(sealed, createWriteStream(`${path}${DUMP.sealed}`, { mode: 0o600 }));
}

async function stored(configuration: AgentConfiguration, plain: string): Promise<string | undefined> {
  const path = [plain, `${plain}${DUMP.sealed}`].find((file) => existsSync(file));
  return path === undefined ? undefined : wholeText(await contentOf(configuration, path));
}
