import { createHash } from "node:crypto";
import { createReadStream } from "node:fs";
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { pipeline } from "node:stream/promises";
import * as z from "zod";
import { errorLine, UserError } from "../user-error.ts";
import { writeWhole } from "../write-whole.ts";

/** Folder of the snapshots in the project. */
export const SNAPSHOT_FOLDER = "snapshots";
const METADATA = "metadata.json";

const databaseSettings = z.object({
  /** Sessions at once; -1: no limit. */
  connectionLimit: z.number().int().min(-1),
  /** ALTER DATABASE … SET, and ALTER ROLE … IN DATABASE … SET where a role is named. */
  settings: z.array(z.object({ role: z.string().nullable(), parameter: z.string(), value: z.string() })),
});

const snapshot = z.object({
  name: z.string(),
  /** SHA-256 of the SQL file, hexadecimal. */
  sha256: z.string().regex(/^[0-9a-f]{64}$/),
  bytes: z.number().int().nonnegative(),
  /** ISO 8601 in UTC. */
  createdAt: z.string(),
  /** Of the server that it was made on. */
  serverVersion: z.string(),
  /** Changes with the definition of any table, view, function or type. */
  schemaFingerprint: z.string(),
  /** Rows of each table, `schema.table`. */
  tables: z.record(z.string(), z.number().int().nonnegative()),
  extensions: z.array(z.string()),
  database: databaseSettings,
});

const metadata = z.object({ format: z.literal(1), snapshots: z.array(snapshot) });

/** What is kept about one snapshot beside its SQL. */
export type Snapshot = z.infer<typeof snapshot>;
/** What of a database its own dump leaves out. */
export type DatabaseSettings = z.infer<typeof databaseSettings>;

/** @throws UserError for what is no name of a snapshot. */
export function requireSnapshotName(name: string): void {
  if (/^[a-z0-9][a-z0-9_-]{0,39}$/.test(name)) return;
  throw new UserError(
    `${JSON.stringify(name)} is no snapshot's name: lower-case letters, digits, "-" and "_"`,
  );
}

/** Path of a snapshot's SQL. */
export function snapshotFile(project: string, name: string): string {
  return join(project, SNAPSHOT_FOLDER, `${name}.sql`);
}

/** All snapshots, by name. @throws UserError when metadata.json is torn. */
export async function listSnapshots(project: string): Promise<Snapshot[]> {
  const path = join(project, SNAPSHOT_FOLDER, METADATA);
  const text = await readFile(path, "utf8").catch(() => undefined);
  if (text === undefined) return [];
  try {
    return metadata.parse(JSON.parse(text)).snapshots;
  } catch (error) {
    const reason = error instanceof z.ZodError ? (error.issues[0]?.message ?? "") : errorLine(error);
    throw new UserError(
      `${SNAPSHOT_FOLDER}/${METADATA} cannot be read (${reason}): take it back from version control, or make the snapshots anew`,
    );
  }
}

/** Puts a snapshot into metadata.json, in place of one of the same name. */
export async function recordSnapshot(project: string, one: Snapshot): Promise<void> {
  const others = (await listSnapshots(project)).filter(({ name }) => name !== one.name);
  const snapshots = [...others, one].sort((left, right) => left.name.localeCompare(right.name));
  const path = join(project, SNAPSHOT_FOLDER, METADATA);
  await writeWhole(path, `${JSON.stringify({ format: 1, snapshots }, undefined, 2)}\n`, 0o644);
}

/**
 * A snapshot whose SQL is exactly what was recorded.
 *
 * @throws UserError naming what is missing or was changed.
 */
export async function requireSnapshot(project: string, name: string): Promise<Snapshot> {
  requireSnapshotName(name);
  const snapshots = await listSnapshots(project);
  const found = snapshots.find((one) => one.name === name);
  if (found === undefined) {
    const known =
      snapshots.length === 0 ? "there are none" : `there are ${snapshots.map((one) => one.name).join(", ")}`;
    throw new UserError(`there is no snapshot ${name}: ${known}`);
  }
  const file = `${SNAPSHOT_FOLDER}/${name}.sql`;
  const sha256 = await hashOf(snapshotFile(project, name)).catch(() => undefined);
  if (sha256 === undefined) throw new UserError(`${file} is gone: take it back from version control`);
  if (sha256 !== found.sha256) {
    throw new UserError(
      `${file} was changed since it was made (${found.createdAt}): take it back from version control, or make it a snapshot anew by pgstack snapshot create ${name} --from ${file}`,
    );
  }
  return found;
}

/** SHA-256 of a file, hexadecimal. */
export async function hashOf(path: string): Promise<string> {
  const hash = createHash("sha256");
  await pipeline(createReadStream(path), hash);
  return hash.digest("hex");
}
