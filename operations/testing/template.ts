import { createHash } from "node:crypto";
import { createMarked, dropMarked } from "../../agent/database-mark.ts";
import { parameterAssignment } from "../../agent/parameter-value.ts";
import { databaseOptions } from "../database/plan.ts";
import { applyDatabase, type DatabaseSpecification } from "../database.ts";
import { identifier, literal } from "../sql.ts";
import { queryAsSuperuser, runAsSuperuser } from "../superuser.ts";
import type { Target } from "../target.ts";
import { UserError } from "../user-error.ts";
import type { Description } from "./describe.ts";
import { loadSql } from "./load.ts";
import { withLoader } from "./loader.ts";
import {
  BUILDING_PREFIX,
  buildingName,
  isOurs,
  isTemplate,
  MARK,
  READY,
  sparePrefix,
  templateName,
} from "./names.ts";
import type { Snapshot } from "./snapshot-files.ts";

/** What a template is made from. */
export interface TemplateOptions {
  readonly snapshot: Snapshot;
  /** Path of its SQL. */
  readonly file: string;
  /** What the stack declares for its database; the template has it too. */
  readonly specification: DatabaseSpecification;
  readonly onStep?: (text: string, fraction?: number) => void;
  readonly signal?: AbortSignal;
}

/** A template that is there. */
export interface Template {
  readonly name: string;
  /** Stands for everything that it was made from. */
  readonly key: string;
}

/**
 * Makes the template database of a snapshot, or finds it: it is named by a checksum of the snapshot, of what the stack
 * declares and of the server's version, and nobody can connect to it.
 *
 * @throws UserError when the SQL does not load, or makes something else than what was recorded.
 */
export async function ensureTemplate(target: Target, options: TemplateOptions): Promise<Template> {
  const { snapshot, specification, onStep } = options;
  const key = await templateKey(target, options);
  const name = templateName(key);
  if (await isTemplateThere(target, name)) return { name, key };
  const building = buildingName();
  onStep?.(`loading snapshot ${snapshot.name}`);
  try {
    requireAsRecorded(await fillDatabase(target, building, options), snapshot);
    await applyDatabase(target, { ...specification, name: building });
    await runAsSuperuser(target, "VACUUM (FREEZE, ANALYZE);", { database: building, timeoutMilliseconds: 0 });
    // A new session writes PostgreSQL's own cache of the catalogues, which copies then have from the start.
    await runAsSuperuser(target, "SELECT count(*) FROM pg_class;", { database: building });
    await runAsSuperuser(target, finishing(building, name, snapshot));
    await runAsSuperuser(target, dropOthers(name, snapshot), { timeoutMilliseconds: 0 });
  } catch (error) {
    await runAsSuperuser(target, dropMarked(building, MARK));
    // Another run may have made the very same meanwhile.
    if (!(await isTemplateThere(target, name))) throw error;
  }
  return { name, key };
}

/** Makes an empty database and loads a snapshot's SQL into it. @returns What it holds then. */
export async function fillDatabase(
  target: Target,
  database: string,
  {
    file,
    snapshot,
    specification,
    signal,
  }: Pick<TemplateOptions, "file" | "specification" | "signal"> & {
    readonly snapshot: Pick<Snapshot, "name">;
  },
): Promise<Description> {
  await runAsSuperuser(target, leftOvers());
  await runAsSuperuser(target, createMarked(database, MARK, databaseOptions(specification)));
  return await withLoader(target, { database, file, specification }, (login) =>
    loadSql(target, { database, file, login, name: `snapshot ${snapshot.name}` }, signal),
  );
}

/** @throws UserError naming the first difference. */
export function requireAsRecorded(
  { tables, schemaFingerprint, serverVersion }: Description,
  snapshot: Snapshot,
): void {
  for (const [table, rows] of Object.entries(snapshot.tables)) {
    if (tables[table] === rows) continue;
    throw new UserError(
      `snapshot ${snapshot.name}: ${table} has ${tables[table] ?? "no"} rows when it is loaded, and ${rows} were recorded`,
    );
  }
  // Another release writes the same definition in other words.
  if (serverVersion === snapshot.serverVersion && schemaFingerprint !== snapshot.schemaFingerprint) {
    throw new UserError(`snapshot ${snapshot.name}: its schema is another one than was recorded`);
  }
}

async function templateKey(target: Target, { snapshot, specification }: TemplateOptions): Promise<string> {
  const [row] = await queryAsSuperuser<{ version: string }>(
    target,
    "SELECT current_setting('server_version') AS version",
  );
  const { sha256, database } = snapshot;
  return createHash("sha256")
    .update(JSON.stringify([sha256, database, specification, row?.version]))
    .digest("hex")
    .slice(0, 12);
}

/** Bytes of a template, and so of a copy that nobody has written to. */
export async function templateBytes(target: Target, { name }: Template): Promise<number> {
  const [row] = await queryAsSuperuser<{ bytes: string }>(
    target,
    `SELECT pg_database_size(${literal(name)})::text AS bytes`,
  );
  return Number(row?.bytes);
}

/** Whether a template is there. */
export async function isTemplateThere(target: Target, database: string): Promise<boolean> {
  const rows = await queryAsSuperuser(
    target,
    `SELECT datname FROM pg_database WHERE datname = ${literal(database)}`,
  );
  return rows.length > 0;
}

/** What killed runs have left: a template that is being made holds a session, or is not an hour old. */
function leftOvers(): string {
  return `SELECT format('DROP DATABASE IF EXISTS %I', d.datname) FROM pg_database d
  WHERE ${isOurs(BUILDING_PREFIX, MARK)}
    AND NOT EXISTS (SELECT FROM pg_stat_activity a WHERE a.datname = d.datname)
    AND (pg_stat_file('base/' || d.oid || '/PG_VERSION', true)).modification < now() - interval '1 hour' \\gexec
`;
}

/** A snapshot that was made anew has no use for its former template, nor for that one's copies. */
function dropOthers(name: string, snapshot: Snapshot): string {
  const former = `${isTemplate(snapshot.name)} AND d.datname <> ${literal(name)}`;
  const spare = sparePrefix("").slice(0, -1);
  return `SELECT format('DROP DATABASE IF EXISTS %I WITH (FORCE)', d.datname) FROM pg_database d
  WHERE ${isOurs(spare, READY)} AND EXISTS (
    SELECT FROM (SELECT substr(d.datname, ${templateName("").length + 1}) AS key FROM pg_database d WHERE ${former}) t
     WHERE starts_with(d.datname, ${literal(spare)} || t.key || '_')) \\gexec
SELECT format('ALTER DATABASE %I IS_TEMPLATE false', d.datname) FROM pg_database d WHERE ${former} \\gexec
SELECT format('DROP DATABASE IF EXISTS %I', d.datname) FROM pg_database d WHERE ${former} \\gexec
`;
}

function finishing(building: string, name: string, snapshot: Snapshot): string {
  const database = identifier(building);
  const settings = snapshot.database.settings.map(({ role, parameter, value }) => {
    const whose = role === null ? `DATABASE ${database}` : `ROLE ${identifier(role)} IN DATABASE ${database}`;
    return `ALTER ${whose} SET ${parameterAssignment(parameter, value)};`;
  });
  const comment = JSON.stringify({ snapshot: snapshot.name, sha256: snapshot.sha256 });
  return [
    ...settings,
    `ALTER DATABASE ${database} CONNECTION LIMIT ${snapshot.database.connectionLimit};`,
    `ALTER DATABASE ${database} WITH ALLOW_CONNECTIONS false;`,
    // Whoever looked at it just now is gone within moments.
    `SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity WHERE datname = ${literal(building)};`,
    // Together: one that is a template and has not its name yet could not be dropped.
    `BEGIN; COMMENT ON DATABASE ${database} IS ${literal(comment)}; ALTER DATABASE ${database} RENAME TO ${identifier(name)};`,
    `ALTER DATABASE ${identifier(name)} WITH IS_TEMPLATE true; COMMIT;`,
  ].join("\n");
}
