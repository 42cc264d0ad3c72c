import { createWriteStream, existsSync } from "node:fs";
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { Readable } from "node:stream";
import { text as wholeText } from "node:stream/consumers";
import { pipeline } from "node:stream/promises";
import type { AgentConfiguration } from "../configuration.ts";
import type { DatabaseProperties } from "./database-properties.ts";
import { contentOf, DUMP } from "./dump.ts";
import { readKey, seal } from "./sealed.ts";

/** Stores a database's properties in a backup's folder, encrypted where backups are: a setting may be a secret. */
export async function storeProperties(
  { logical: { encrypted, keyFile } }: AgentConfiguration,
  folder: string,
  properties: DatabaseProperties,
): Promise<void> {
  const text = `${JSON.stringify(properties, undefined, 2)}\n`;
  const path = join(folder, DUMP.properties);
  if (!encrypted) return writeFile(path, text, { mode: 0o600 });
  const sealed = seal(await readKey(keyFile), Readable.from([Buffer.from(text)]));
  await pipeline(sealed, createWriteStream(`${path}${DUMP.sealed}`, { mode: 0o600 }));
}

/** The properties that a backup's folder holds; undefined in one that was taken before they were stored. */
export async function storedProperties(
  configuration: AgentConfiguration,
  folder: string,
): Promise<DatabaseProperties | undefined> {
  const plain = join(folder, DUMP.properties);
  const path = [plain, `${plain}${DUMP.sealed}`].find((file) => existsSync(file));
  if (path === undefined) return undefined;
  return JSON.parse(await wholeText(await contentOf(configuration, path))) as DatabaseProperties;
}
