import { createHash } from "node:crypto";
import { mkdir, rename, rm, stat } from "node:fs/promises";
import { join } from "node:path";
import type { AgentConfiguration } from "../configuration.ts";
import type { Context } from "../context.ts";
import { type BackupEntry, notedFindings } from "../entry.ts";
import { Refusal } from "../failure.ts";
import { bytesBelow, filesBelow, freeBytes, hashFile, syncPath, syncTree, writeWhole } from "../files.ts";
import { withLimitedLogin } from "../limited-login.ts";
import { readRoles } from "../roles.ts";
import { requireRoom, saysFull } from "../room.ts";
import { query } from "../sql.ts";
import { databaseFindings } from "../verification/findings.ts";
import { tableContents } from "../verification/tables.ts";
import { readDatabaseProperties } from "./database-properties.ts";
import { dumpDatabase } from "./dump.ts";
import {
  type DumpFile,
  type LogicalManifest,
  logicalDirectory,
  MANIFEST_FILE,
  newIdentifier,
  sweepUnfinished,
  unfinishedDirectory,
} from "./folder.ts";
import { readDump } from "./read-back.ts";
import { PRIVILEGED_ROUTINES } from "./restore.ts";
import { schemaFingerprint } from "./schema-fingerprint.ts";
import { withSnapshot } from "./snapshot.ts";
import { storeProperties, storeRoles } from "./stored-properties.ts";

/**
 * Dumps the application's database and the roles, reads the dump back, and only then gives it its name. Whatever ends
 * this before, no folder under a final name is left. To be called under the lock.
 */
export async function logicalBackup(
  configuration: AgentConfiguration,
  { label }: { readonly label?: string },
  context: Context,
): Promise<BackupEntry> {
  await sweepUnfinished(configuration);
  const started = new Date();
  const id = newIdentifier(started);
  const facts = await serverFacts(configuration, context);
  await requireRoom(configuration, facts.databaseBytes);
  const folder = unfinishedDirectory(configuration, id);
  await mkdir(folder, { mode: 0o700 });
  try {
    context.step("dumping", 0);
    const { stack, database } = configuration;
    const whose = { stack, databases: [database] };
    const [tables, findings] = await withLimitedLogin(configuration, whose, context, (login) =>
      withSnapshot(configuration, configuration.database, context, async (snapshot) => {
        const reading = { snapshot, login, context };
        // All are awaited, so that a failure of one never leaves another at work.
        const [dumped, counted, looked] = await Promise.allSettled([
          dumpDatabase(configuration, folder, { snapshot, databaseBytes: facts.databaseBytes }, context),
          tableContents(configuration, configuration.database, configuration.verification, reading),
          databaseFindings(configuration, configuration.database, reading),
        ]);
        if (dumped.status === "rejected") throw dumped.reason;
        if (counted.status === "rejected") throw counted.reason;
        if (looked.status === "rejected") throw looked.reason;
        return [counted.value, looked.value] as const;
      }),
    );
    const roles = await readRoles(configuration, { verifiers: false }, context);
    await storeRoles(configuration, folder, roles);
    const properties = await readDatabaseProperties(configuration, configuration.database, context);
    if (properties !== undefined) await storeProperties(configuration, folder, properties);
    context.step("reading back", 0.6);
    const fingerprint = await schemaFingerprint(configuration, configuration.database, context);
    await readDump(configuration, folder, context);
    const files = await describeFiles(folder);
    const finishedAt = new Date().toISOString();
    const entry: BackupEntry = {
      ...{ id, kind: "logical" as const, ...(label === undefined ? {} : { label }) },
      ...{ startedAt: started.toISOString(), finishedAt },
      bytes: files.reduce((sum, file) => sum + file.bytes, 0),
      databaseBytes: facts.databaseBytes,
      checksum: `sha256:${createHash("sha256").update(JSON.stringify(files)).digest("hex")}`,
      ...{ serverVersion: facts.version, systemIdentifier: facts.identifier, schemaFingerprint: fingerprint },
      ...{ repositories: ["local"], encrypted: configuration.logical.encrypted },
      verification: { form: "read back", at: finishedAt, result: "ok" },
      path: `logical/${id}`,
      findings: notedFindings(findings),
    };
    const { privilegedRoutines } = facts;
    const manifest: LogicalManifest = {
      ...{ format: 1, entry, database, files, tables, findings, privilegedRoutines },
    };
    context.step("storing", 0.95);
    await syncTree(folder);
    await writeWhole(join(folder, MANIFEST_FILE), `${JSON.stringify(manifest, undefined, 2)}\n`);
    await mkdir(logicalDirectory(configuration), { recursive: true, mode: 0o700 });
    context.signal.throwIfAborted();
    await rename(folder, join(logicalDirectory(configuration), id));
    await syncPath(logicalDirectory(configuration));
    return entry;
  } catch (error) {
    const written = await bytesBelow(folder).catch(() => 0);
    await rm(folder, { recursive: true, force: true });
    throw await explained(error, configuration, written);
  }
}

interface ServerFacts {
  readonly version: string;
  readonly identifier: string;
  readonly databaseBytes: number;
  readonly privilegedRoutines: readonly string[];
}

async function serverFacts(configuration: AgentConfiguration, { signal }: Context): Promise<ServerFacts> {
  const [row] = await query<ServerFacts>(
    configuration,
    `SELECT current_setting('server_version') AS version,
            (SELECT system_identifier::text FROM pg_control_system()) AS identifier,
            pg_database_size(current_database())::float8 AS "databaseBytes",
            ARRAY(${PRIVILEGED_ROUTINES}) AS "privilegedRoutines"`,
    { database: configuration.database, signal },
  );
  if (row === undefined) throw new Error("the server does not tell its version");
  return row;
}

async function explained(
  error: unknown,
  configuration: AgentConfiguration,
  written: number,
): Promise<unknown> {
  if (!saysFull(error)) return error;
  const free = await freeBytes(configuration.backupDirectory);
  return new Refusal(
    `the disk of ${configuration.backupDirectory} became full after ${written} bytes of the backup; ${free} bytes are free now that they are removed, and more than ${written} are needed`,
  );
}

async function describeFiles(folder: string): Promise<DumpFile[]> {
  const files: DumpFile[] = [];
  for (const path of await filesBelow(folder)) {
    const { size } = await stat(join(folder, path));
    files.push({ path, bytes: size, sha256: await hashFile(join(folder, path)) });
  }
  return files;
}
