import { literal, type Sql } from "../sql.ts";

/** Roles that use what migrations make. */
export interface Users {
  readonly application: string;
  readonly readonly: string;
}

/**
 * SQL that gives the stack's grants on what the administrator has made in its own schemas and in `public`, as the next `up`
 * would (operations/database): what default privileges can't tell apart, such as routines with their owner's rights, and
 * what was moved between schemas. To be run as the administrator, in the migration's transaction.
 */
export function grantsSql({ application, readonly }: Users): Sql {
  const lacks = (grantee: Sql) =>
    `NOT EXISTS (SELECT FROM aclexplode(o.acl) AS x WHERE x.grantee = ${grantee} AND x.privilege_type = p.name)`;
  const body = `DECLARE statement text;
BEGIN
  FOR statement IN
    WITH w AS (
      SELECT a.oid AS application, r.oid AS readonly, m.oid AS me FROM pg_roles a, pg_roles r, pg_roles m
       WHERE a.rolname = ${literal(application)} AND r.rolname = ${literal(readonly)} AND m.rolname = current_user
    ), spaces AS (
      SELECT n.* FROM pg_namespace n, w
       WHERE n.nspname = 'public' OR (n.nspowner = w.me AND n.nspname !~ '^(pg_|pgstack|information_schema$)')
    ), members AS (
      SELECT classid, objid FROM pg_depend
       WHERE deptype = 'e' OR (deptype = 'i' AND classid = 'pg_proc'::regclass AND refclassid = 'pg_type'::regclass)
    ), objects (kind, name, acl, application, readonly) AS (
      SELECT 'SCHEMA', quote_ident(s.nspname), s.nspacl, '{USAGE}'::text[], '{USAGE}'::text[]
        FROM spaces s, w WHERE s.nspowner = w.me
      UNION ALL
      SELECT CASE c.relkind WHEN 'S' THEN 'SEQUENCE' ELSE 'TABLE' END, c.oid::regclass::text, c.relacl,
             CASE c.relkind WHEN 'S' THEN '{USAGE,SELECT}' ELSE '{SELECT,INSERT,UPDATE,DELETE}' END::text[], '{SELECT}'
        FROM pg_class c JOIN spaces s ON s.oid = c.relnamespace, w
       WHERE c.relkind IN ('r', 'p', 'v', 'm', 'f', 'S') AND c.relowner = w.me
         AND c.oid NOT IN (SELECT objid FROM members WHERE classid = 'pg_class'::regclass)
      UNION ALL
      SELECT 'ROUTINE', p.oid::regprocedure::text, p.proacl, '{EXECUTE}',
             CASE WHEN p.prosecdef OR p.prorettype IN ('trigger'::regtype, 'event_trigger'::regtype)
                  THEN '{}' ELSE '{EXECUTE}' END::text[]
        FROM pg_proc p JOIN spaces s ON s.oid = p.pronamespace, w
       WHERE p.proowner = w.me AND p.oid NOT IN (SELECT objid FROM members WHERE classid = 'pg_proc'::regclass)
      UNION ALL
      SELECT 'TYPE', format('%I.%I', s.nspname, t.typname), t.typacl, '{USAGE}', '{USAGE}'
        FROM pg_type t JOIN spaces s ON s.oid = t.typnamespace LEFT JOIN pg_class c ON c.oid = t.typrelid, w
       WHERE t.typowner = w.me AND t.typtype NOT IN ('m', 'p') AND coalesce(c.relkind, 'c') = 'c'
         AND NOT (t.typelem <> 0 AND t.typsubscript = 'array_subscript_handler'::regproc)
         AND t.oid NOT IN (SELECT objid FROM members WHERE classid = 'pg_type'::regclass)
    )
    SELECT format('GRANT %s ON %s %s TO %s', string_agg(p.name, ', '), o.kind, o.name, w.application::regrole)
      FROM w, objects o CROSS JOIN unnest(o.application) AS p(name) WHERE ${lacks("w.application")}
     GROUP BY o.kind, o.name, w.application
    UNION ALL
    SELECT format('GRANT %s ON %s %s TO %s', string_agg(p.name, ', '), o.kind, o.name, w.readonly::regrole)
      FROM w, objects o CROSS JOIN unnest(o.readonly) AS p(name) WHERE ${lacks("w.readonly")}
     GROUP BY o.kind, o.name, w.readonly
    UNION ALL
    SELECT format('REVOKE ALL ON ROUTINE %s FROM %s CASCADE', o.name, w.readonly::regrole)
      FROM w, objects o WHERE o.kind = 'ROUTINE' AND o.readonly = '{}'
       AND EXISTS (SELECT FROM aclexplode(o.acl) AS x WHERE x.grantee = w.readonly)
  LOOP
    EXECUTE statement;
  END LOOP;
END`;
  return `RESET ROLE; SET LOCAL search_path TO pg_catalog, pg_temp; DO ${literal(body)};`;
}
