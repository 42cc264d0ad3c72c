import { createReadStream } from "node:fs";
import type { Login } from "../../agent/sql.ts";
import { GUARDED_FUNCTIONS } from "../database/guarded-functions.ts";
import type { DatabaseSpecification } from "../database.ts";
import { identifier, literal } from "../sql.ts";
import { withLimitedLogin } from "../superuser/limited-login.ts";
import { queryAsSuperuser, runAsSuperuser } from "../superuser.ts";
import type { Target } from "../target.ts";
import { type Description, describeAs } from "./describe.ts";

/** An empty database, and what is about to be loaded into it. */
export interface Loading {
  readonly database: string;
  /** Path of the SQL. */
  readonly file: string;
  readonly specification: Pick<DatabaseSpecification, "administrator" | "extensions">;
}

/**
 * Runs the load of a snapshot by a login that is not superuser. What it may not make and the stack declares is there before
 * it; what it has made is the administrator's after it.
 *
 * @returns What the database holds then.
 */
export async function withLoader(
  target: Target,
  { database, file, specification }: Loading,
  load: (login: Login) => Promise<void>,
): Promise<Description> {
  const extensions = await privilegedExtensions(target, file, specification.extensions);
  return await withLimitedLogin(target, database, async (login) => {
    await runAsSuperuser(target, prepare(login.role, extensions), { database, timeoutMilliseconds: 0 });
    await load(login);
    const owners = giveAway(login.role, extensions, specification.administrator);
    await runAsSuperuser(target, owners, { database, singleTransaction: true, timeoutMilliseconds: 0 });
    return await describeAs(target, database, login);
  });
}

const CREATE_EXTENSION = /^\s*CREATE\s+EXTENSION\s+(?:IF\s+NOT\s+EXISTS\s+)?(?:"([^"]+)"|([\w$]+))/gim;
/** No statement that makes an extension is longer. */
const LONGEST_LINE = 1024;

/** Of the declared extensions those that the file makes, and that only a superuser can. */
async function privilegedExtensions(
  target: Target,
  file: string,
  declared: readonly string[],
): Promise<string[]> {
  if (declared.length === 0) return [];
  const rows = await queryAsSuperuser<{ name: string }>(
    target,
    `SELECT DISTINCT name FROM pg_available_extension_versions WHERE superuser AND NOT trusted AND name IN (${declared.map(literal).join(", ")})`,
  );
  const wanted = new Set(rows.map(({ name }) => name));
  if (wanted.size === 0) return [];
  const found = new Set<string>();
  let text = "";
  for await (const piece of createReadStream(file, { encoding: "latin1" }) as AsyncIterable<string>) {
    text = text.slice(-LONGEST_LINE) + piece;
    for (const [, quoted, plain = ""] of text.matchAll(CREATE_EXTENSION)) {
      const name = quoted ?? plain.toLowerCase();
      if (wanted.has(name)) found.add(name);
    }
  }
  return [...found];
}

const GUARDED = `pronamespace = 'pg_catalog'::regnamespace AND proname IN (${GUARDED_FUNCTIONS.map(literal).join(", ")})`;

/** The extensions belong to the login while it loads: a dump comments on each, and the functions are for it to grant. */
function prepare(role: string, extensions: readonly string[]): string {
  return `SET search_path TO public;
${extensions.map((name) => `CREATE EXTENSION IF NOT EXISTS ${identifier(name)} CASCADE;`).join("\n")}
SET search_path TO pg_catalog;
UPDATE pg_extension SET extowner = ${literal(role)}::regrole WHERE extname IN (${names(extensions)});
SELECT format('GRANT EXECUTE ON FUNCTION %s TO %I WITH GRANT OPTION', oid::regprocedure, ${literal(role)}) FROM pg_proc WHERE ${GUARDED} \\gexec
`;
}

/**
 * What the login has granted stays, as the superuser's grant. It takes its own back itself: PostgreSQL leaves what it has granted
 * to others, as by its memberships it could grant it again.
 */
function giveAway(role: string, extensions: readonly string[], administrator: string): string {
  const login = `${literal(role)}::regrole`;
  const name = identifier(role);
  const grantee = "CASE grantee WHEN 0 THEN 'PUBLIC' ELSE quote_ident(pg_get_userbyid(grantee)) END";
  const granted = `FROM pg_proc p, aclexplode(proacl) WHERE ${GUARDED} AND grantor = ${login} AND grantee <> ${login}`;
  return `UPDATE pg_extension SET extowner = 10 WHERE extname IN (${names(extensions)}) AND extowner = ${login};
SELECT format('GRANT %s ON FUNCTION %s TO %s%s', privilege_type, p.oid::regprocedure, ${grantee},
    CASE WHEN is_grantable THEN ' WITH GRANT OPTION' ELSE '' END) ${granted} \\gexec
SET ROLE ${name};
SELECT format('REVOKE ALL ON FUNCTION %s FROM %s CASCADE', p.oid::regprocedure, ${grantee}) ${granted} \\gexec
RESET ROLE;
SELECT format('REVOKE ALL ON FUNCTION %s FROM ${name.replaceAll("%", "%%")}', oid::regprocedure) FROM pg_proc WHERE ${GUARDED} \\gexec
REASSIGN OWNED BY ${name} TO ${identifier(administrator)};
`;
}

function names(extensions: readonly string[]): string {
  return ["", ...extensions].map(literal).join(", ");
}
