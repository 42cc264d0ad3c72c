import { createHash } from "node:crypto";
import type { Login } from "../../agent/sql.ts";
import { SOCKET_DIRECTORY } from "../container-directories.ts";
import { TECHNICAL_SCHEMA } from "../database/specification.ts";
import { streamInContainer } from "../execute/stream.ts";
import { literal } from "../sql.ts";
import { withLimitedLogin } from "../superuser/limited-login.ts";
import { queryAsSuperuser, SUPERUSER } from "../superuser.ts";
import type { Target } from "../target.ts";
import type { DatabaseSettings, Snapshot } from "./snapshot-files.ts";

/** What a database holds, as far as a snapshot tells it. */
export type Description = Pick<
  Snapshot,
  "serverVersion" | "schemaFingerprint" | "tables" | "extensions" | "database"
>;

/** Looks at a database, without a superuser's rights: to count the rows of a table evaluates what its indexes say. */
export async function describeDatabase(target: Target, database: string): Promise<Description> {
  return await withLimitedLogin(target, database, (login) => describeAs(target, database, login));
}

/** The same by a login that is there. */
export async function describeAs(target: Target, database: string, login: Login): Promise<Description> {
  const [row] = await describe(target, database, login);
  if (row === undefined) throw new Error(`database ${database} tells nothing`);
  return {
    serverVersion: row.version,
    schemaFingerprint: await schemaFingerprint(target, database),
    tables: row.tables,
    extensions: row.extensions,
    database: { connectionLimit: row.limit, settings: row.settings },
  };
}

interface Described {
  readonly version: string;
  readonly extensions: string[];
  readonly tables: Record<string, number>;
  readonly limit: number;
  readonly settings: DatabaseSettings["settings"];
}

async function describe(target: Target, database: string, login: Login): Promise<Described[]> {
  return await queryAsSuperuser<Described>(
    target,
    `SELECT current_setting('server_version') AS version,
      (SELECT coalesce(json_agg(extname ORDER BY extname), '[]') FROM pg_extension WHERE extname <> 'plpgsql') AS extensions,
      (SELECT coalesce(json_object_agg(name, rows ORDER BY name), '{}') FROM (
         SELECT format('%I.%I', n.nspname, c.relname) AS name,
                (xpath('/row/n/text()', query_to_xml(format('SELECT count(*) AS n FROM %I.%I', n.nspname, c.relname), false, true, '')))[1]::text::int8 AS rows
           FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
          WHERE c.relkind IN ('r', 'p') AND NOT c.relispartition AND n.nspname !~ '^pg_'
            AND n.nspname NOT IN ('information_schema', '${TECHNICAL_SCHEMA}')
            AND NOT EXISTS (SELECT FROM pg_depend d WHERE d.objid = c.oid AND d.classid = 'pg_class'::regclass AND d.deptype = 'e')) t) AS tables,
      (SELECT datconnlimit FROM pg_database WHERE datname = ${literal(database)}) AS "limit",
      (SELECT coalesce(json_agg(json_build_object('role', r.rolname, 'parameter', split_part(setting, '=', 1),
                'value', substr(setting, strpos(setting, '=') + 1)) ORDER BY r.rolname, setting), '[]')
         FROM pg_db_role_setting s JOIN pg_database d ON d.oid = s.setdatabase LEFT JOIN pg_roles r ON r.oid = s.setrole,
              unnest(s.setconfig) AS setting
        WHERE d.datname = ${literal(database)}) AS settings`,
    { database, login, timeoutMilliseconds: 0 },
  );
}

/** SHA-256 over the definition of everything in a database, without owners and grants. */
async function schemaFingerprint(target: Target, database: string): Promise<string> {
  const pieces: Buffer[] = [];
  await dump(target, database, ["--schema-only", "--no-owner", "--no-privileges", "--no-comments"], (piece) =>
    pieces.push(piece),
  );
  // Comments name versions; newer releases guard their output by a word that is another one each time.
  const lines = Buffer.concat(pieces)
    .toString("utf8")
    .split("\n")
    .filter((line) => line !== "" && !/^(--|\\(un)?restrict )/.test(line));
  return createHash("sha256").update(lines.join("\n")).digest("hex");
}

/** Dumps a database as SQL, without what the stack itself keeps in it. */
export async function dump(
  target: Target,
  database: string,
  options: readonly string[],
  onOutput: (piece: Buffer) => void,
  signal?: AbortSignal,
): Promise<void> {
  const environment = {
    PGHOST: SOCKET_DIRECTORY,
    PGPORT: String(target.port),
    PGDATABASE: database,
    LC_ALL: "C",
    // Settings of the database would have the same definition written in other words.
    PGOPTIONS: "-c standard_conforming_strings=on -c quote_all_identifiers=off",
  };
  const { exitCode, stderr } = await streamInContainer(
    target,
    {
      command: [
        "pg_dump",
        "--format=plain",
        `--exclude-schema=${TECHNICAL_SCHEMA}`,
        "--no-password",
        ...options,
      ],
      ...{ environment, user: SUPERUSER },
      ...(signal === undefined ? {} : { signal }),
    },
    { onOutput },
  );
  if (exitCode !== 0) throw new Error(`pg_dump failed: ${stderr.trim().split("\n")[0]}`);
}
