import { createHash } from "node:crypto";
import { UserError } from "../user-error.ts";
import { listMigrationFiles, type MigrationFile } from "./files.ts";

/** The last version that there is a migration for. */
export const LATEST = "latest";

/** A version of the schema, and the migrations that lead to it. */
export interface SchemaVersion {
  /** Digits of the last migration; `0`: none. */
  readonly version: string;
  /** Over the migrations up to it: SHA-256, hexadecimal. */
  readonly checksum: string;
}

/** The version that a stack's schema is to be at. @throws UserError for one that no migration leads to. */
export async function wantedSchema(project: string, wanted: string): Promise<SchemaVersion> {
  const files = await listMigrationFiles(project);
  const last =
    wanted === LATEST
      ? Number(files.at(-1)?.version ?? 0)
      : versionNamed(wanted, files, "pgstack:schemaVersion");
  const upTo = files.filter(({ version }) => Number(version) <= last);
  const hash = createHash("sha256");
  for (const { name, checksum } of upTo) hash.update(`${name}\0${checksum}\0`);
  return { version: upTo.at(-1)?.version ?? "0", checksum: hash.digest("hex") };
}

/** The number of a version; 0 is before the first. @throws UserError, beginning with `where`, for one that is not there. */
export function versionNamed(wanted: string, files: readonly MigrationFile[], where: string): number {
  const number = /^\d+$/.test(wanted) ? Number(wanted) : Number.NaN;
  if (number === 0 || files.some(({ version }) => Number(version) === number)) return number;
  const known = files.map(({ version }) => version).join(", ");
  throw new UserError(
    `${where} ${wanted}: there is no such version${known === "" ? "" : `; there are ${known}, and 0`}`,
  );
}
