import { setTimeout as delay } from "node:timers/promises";
import { LIMITED_LOGIN_PREFIX } from "../../agent/limited-login.ts";
import { dockerEndpoint } from "../docker.ts";
import { literal } from "../sql.ts";
import { queryAsSuperuser } from "../superuser.ts";
import type { Target } from "../target.ts";
import type { Attributes } from "./specification.ts";

/** A role as it is. */
export interface LiveRole {
  readonly name: string;
  readonly attributes: Attributes;
  readonly connectionLimit: number;
  /** Null: no password, so no sign-in over TCP. */
  readonly verifier: string | null;
  /** Null: for ever. */
  readonly validUntil: string | null;
  /** What it is a member of, and what is a member of it. */
  readonly memberships: readonly Membership[];
  readonly settings: readonly RoleSettings[];
}

/** One GRANT of a role to a role: https://www.postgresql.org/docs/16/catalog-pg-auth-members.html */
export interface Membership {
  readonly role: string;
  readonly member: string;
  readonly grantor: string;
  readonly admin: boolean;
  readonly inherit: boolean;
  readonly set: boolean;
  /** The role is a superuser. */
  readonly superuser: boolean;
}

/** ALTER ROLE … [IN DATABASE …] SET. */
export interface RoleSettings {
  /** Null: in all databases. */
  readonly database: string | null;
  /** Each as `name=value`. */
  readonly values: readonly string[];
}

/** Plans of one run start within moments of each other; this is how long the first waits for the others. */
const GATHER_MILLISECONDS = 5;
const gathering = new Map<string, { names: Set<string>; result: Promise<LiveRole[]> }>();

/** A role as it is; undefined when there is none. Calls at about the same time share one query, begun after all. */
export async function inspectRole(target: Target, name: string): Promise<LiveRole | undefined> {
  const key = JSON.stringify([dockerEndpoint(target.dockerHost), target.container, target.port]);
  let batch = gathering.get(key);
  if (batch === undefined) {
    const names = new Set<string>();
    batch = { names, result: gather(target, key, names) };
    gathering.set(key, batch);
  }
  batch.names.add(name);
  return (await batch.result).find((role) => role.name === name);
}

async function gather(target: Target, key: string, names: ReadonlySet<string>): Promise<LiveRole[]> {
  await delay(GATHER_MILLISECONDS);
  gathering.delete(key);
  return await queryAsSuperuser<LiveRole>(target, inspectionSql([...names]));
}

function inspectionSql(names: readonly string[]): string {
  return `SELECT r.rolname AS name,
       json_build_object('SUPERUSER', r.rolsuper, 'INHERIT', r.rolinherit, 'CREATEROLE', r.rolcreaterole,
                         'CREATEDB', r.rolcreatedb, 'LOGIN', r.rolcanlogin, 'REPLICATION', r.rolreplication,
                         'BYPASSRLS', r.rolbypassrls) AS attributes,
       r.rolconnlimit AS "connectionLimit",
       r.rolpassword AS verifier,
       nullif(r.rolvaliduntil, 'infinity')::text AS "validUntil",
       (SELECT coalesce(json_agg(json_build_object(
                 'role', g.rolname, 'member', m.rolname, 'grantor', o.rolname, 'admin', a.admin_option,
                 'inherit', a.inherit_option, 'set', a.set_option, 'superuser', g.rolsuper)
                 ORDER BY g.rolname, m.rolname, o.rolname), '[]')
          FROM pg_auth_members a JOIN pg_authid g ON g.oid = a.roleid
               JOIN pg_authid m ON m.oid = a.member JOIN pg_authid o ON o.oid = a.grantor
         -- The agent's logins are members for the time of a run.
         WHERE r.oid IN (a.member, a.roleid) AND NOT starts_with(m.rolname, ${literal(LIMITED_LOGIN_PREFIX)})) AS memberships,
       (SELECT coalesce(json_agg(json_build_object('database', d.datname, 'values', s.setconfig)
                 ORDER BY d.datname), '[]')
          FROM pg_db_role_setting s LEFT JOIN pg_database d ON d.oid = s.setdatabase
         WHERE s.setrole = r.oid) AS settings
  FROM pg_authid r
 WHERE r.rolname IN (${names.map((name) => literal(name)).join(", ")})`;
}
