import { isUtf8 } from "node:buffer";
import { createHash } from "node:crypto";
import { mkdir, readdir, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { UserError } from "../user-error.ts";

/** Folder of the migrations in the project. */
export const MIGRATION_FOLDER = "migrations";
/** A comment by which a migration asks to run without a transaction: for CREATE INDEX CONCURRENTLY and its like. */
export const NO_TRANSACTION = /^--\s*no transaction\s*$/im;

/** One migration: SQL that brings the schema to its version, and SQL that brings it back. */
export interface MigrationFile {
  /** Digits that the names begin with; they order the migrations. */
  readonly version: string;
  /** Version and words, for example `0001_orders`. */
  readonly name: string;
  readonly up: string;
  /** Absent: there is no way down. */
  readonly down?: string;
  /** SHA-256 of the file of `up`, hexadecimal. */
  readonly checksum: string;
  readonly transaction: boolean;
  /** Why its files are no text that a server takes; absent: they are. */
  readonly unreadable?: string;
}

const NAME = /^((\d{4,14})_[a-z0-9][a-z0-9_]*)\.(up|down)\.sql$/;

/** The digits that a migration's name begins with. */
export function versionOf(name: string): string {
  return /^\d+/.exec(name)?.[0] ?? "0";
}

/** All migrations, in their order. @throws UserError for a file whose name says nothing, and for two of one version. */
export async function listMigrationFiles(project: string): Promise<MigrationFile[]> {
  const folder = join(project, MIGRATION_FOLDER);
  const entries = (await readdir(folder).catch(() => [])).filter((entry) => entry.endsWith(".sql")).sort();
  const downs = new Map<string, Text>();
  const found: Omit<MigrationFile, "down">[] = [];
  for (const entry of entries) {
    const [, name, version, direction] = NAME.exec(entry) ?? [];
    if (name === undefined || version === undefined) {
      throw new UserError(
        `${MIGRATION_FOLDER}/${entry} is no migration's name: 0001_words.up.sql and 0001_words.down.sql are right`,
      );
    }
    const text = textOf(entry, await readFile(join(folder, entry)));
    if (direction === "down") {
      downs.set(name, text);
      continue;
    }
    const other = found.find((one) => Number(one.version) === Number(version));
    if (other !== undefined) {
      throw new UserError(
        `${MIGRATION_FOLDER}: ${other.name} and ${name} are of the same version: rename one`,
      );
    }
    const { sql, checksum, unreadable } = text;
    const transaction = !NO_TRANSACTION.test(sql);
    found.push({
      ...{ version, name, up: sql, checksum, transaction },
      ...(unreadable === undefined ? {} : { unreadable }),
    });
  }
  for (const name of downs.keys()) {
    if (found.some((one) => one.name === name)) continue;
    throw new UserError(`${MIGRATION_FOLDER}/${name}.down.sql has no ${name}.up.sql beside it`);
  }
  return found
    .map((one) => {
      const down = downs.get(one.name);
      if (down === undefined) return one;
      const unreadable = one.unreadable ?? down.unreadable;
      return { ...one, down: down.sql, ...(unreadable === undefined ? {} : { unreadable }) };
    })
    .sort((one, other) => Number(one.version) - Number(other.version));
}

interface Text {
  readonly sql: string;
  readonly checksum: string;
  readonly unreadable?: string;
}

/** A file's SQL, without the byte-order mark that some editors put before it; the checksum is of its bytes. */
function textOf(file: string, bytes: Buffer): Text {
  const text = bytes.toString("utf8");
  const sql = text.replace(/^\uFEFF/, "");
  if (isUtf8(bytes)) return { sql, checksum: sha256(bytes) };
  const what = /^(?:\xff\xfe|\xfe\xff)/.test(bytes.toString("latin1", 0, 2)) ? "UTF-16" : "not UTF-8";
  return {
    sql,
    // Files that were applied before this was refused are known by what was read of them.
    checksum: sha256(text),
    unreadable: `${MIGRATION_FOLDER}/${file} is ${what}: save it as UTF-8`,
  };
}

function sha256(content: Buffer | string): string {
  return createHash("sha256").update(content).digest("hex");
}

/** Makes the two files of a new migration, of the next version. @returns Their paths in the project. */
export async function createMigration(project: string, words: string): Promise<string[]> {
  const name = words
    .trim()
    .toLowerCase()
    .replaceAll(/[\s-]+/g, "_");
  if (!/^[a-z0-9][a-z0-9_]{0,60}$/.test(name)) {
    throw new UserError(`${JSON.stringify(words)} is no migration's name: letters, digits and "_"`);
  }
  const files = await listMigrationFiles(project);
  const last = files.at(-1)?.version ?? "0000";
  const version = String(Number(last) + 1).padStart(Math.max(4, last.length), "0");
  await mkdir(join(project, MIGRATION_FOLDER), { recursive: true });
  const made = [
    [`${version}_${name}.up.sql`, "-- Brings the schema to this version, in one transaction.\n"],
    [`${version}_${name}.down.sql`, "-- Brings the schema back to the version before.\n"],
  ] as const;
  for (const [file, text] of made)
    await writeFile(join(project, MIGRATION_FOLDER, file), text, { flag: "wx" });
  return made.map(([file]) => `${MIGRATION_FOLDER}/${file}`);
}
