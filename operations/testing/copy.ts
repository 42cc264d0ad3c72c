import { CREATED_UNMARKED } from "../../agent/database-mark.ts";
import { assignmentInSql } from "../../agent/parameter-value.ts";
import { identifier, literal } from "../sql.ts";
import type { Template } from "./template.ts";

/**
 * Up to this size a copy through the log is sooner there than one of the files, which waits for two checkpoints:
 * https://www.postgresql.org/docs/16/sql-createdatabase.html. Where nothing is flushed, checkpoints cost nothing.
 */
const LARGEST_LOGGED = "32 MB";

/** What {@link copyScript} makes. */
export interface Copy {
  /** Name of the copy. */
  readonly to: string;
  /** Comment that it bears once it is whole. */
  readonly mark: string;
  /** Whether it takes connections at once. Default: false. */
  readonly open?: boolean;
}

/**
 * What makes a copy of a template, for psql as the superuser. The copy gets what PostgreSQL leaves out of one: access list,
 * limit of connections, settings of the database and of roles in it.
 */
export function copyScript({ name }: Template, { to, mark, open = false }: Copy): string {
  const copy = identifier(to);
  const inText = copy.replaceAll("'", "''");
  const template = literal(name);
  // Nobody waits for the disk before the copy is whole: what is lost of it at a crash was not given to anybody yet.
  return `SET synchronous_commit = off;
SELECT format('CREATE DATABASE ${inText} OWNER %I TEMPLATE %I STRATEGY %s ${CREATED_UNMARKED}',
    pg_get_userbyid(datdba), datname,
    CASE WHEN current_setting('fsync')::boolean AND pg_database_size(oid) <= pg_size_bytes('${LARGEST_LOGGED}') THEN 'wal_log' ELSE 'file_copy' END) FROM pg_database WHERE datname = ${template} \\gexec
-- One transaction: a taker waits for each of them.
DO $copy$
DECLARE
  one text;
BEGIN
  REVOKE ALL ON DATABASE ${copy} FROM PUBLIC;
  FOR one IN SELECT format('GRANT %s ON DATABASE ${inText} TO %s%s', x.privilege_type,
      CASE x.grantee WHEN 0 THEN 'PUBLIC' ELSE quote_ident(pg_get_userbyid(x.grantee)) END,
      CASE WHEN x.is_grantable THEN ' WITH GRANT OPTION' ELSE '' END)
    FROM pg_database d, aclexplode(d.datacl) AS x WHERE d.datname = ${template}
  UNION ALL SELECT format('ALTER %s SET %s',
      CASE s.setrole WHEN 0 THEN 'DATABASE ${inText}' ELSE format('ROLE %I IN DATABASE ${inText}', pg_get_userbyid(s.setrole)) END,
      ${assignmentInSql("setting")})
    FROM pg_db_role_setting s JOIN pg_database d ON d.oid = s.setdatabase, unnest(s.setconfig) AS setting
    WHERE d.datname = ${template}
  UNION ALL SELECT format('ALTER DATABASE ${inText} ALLOW_CONNECTIONS ${open} CONNECTION LIMIT %s', datconnlimit) FROM pg_database WHERE datname = ${template}
  LOOP
    EXECUTE one;
  END LOOP;
  COMMENT ON DATABASE ${copy} IS ${literal(mark)};
END
$copy$;
RESET synchronous_commit;`;
}
