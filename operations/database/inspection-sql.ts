import { literal } from "../sql.ts";
import { SUPERUSER } from "../superuser.ts";
import { GUARDED_FUNCTIONS } from "./guarded-functions.ts";
import {
  type DatabaseSpecification,
  MAINTENANCE_DATABASES,
  managedSchemas,
  PROBE_TABLE,
  TECHNICAL_SCHEMA,
} from "./specification.ts";

/** The items of an access list as JSON, see `AclItem`. */
function itemsSql(acl: string): string {
  return `(SELECT coalesce(json_agg(json_build_array(g.rolname, x.privilege_type, x.is_grantable, o.rolname)), '[]')
     FROM aclexplode(${acl}) AS x LEFT JOIN pg_authid g ON g.oid = x.grantee JOIN pg_authid o ON o.oid = x.grantor)`;
}

/** One `LiveObject`. */
function objectSql(
  kind: string,
  container: string,
  name: string,
  owner: string,
  acl: string,
  letter: string,
  { more = "false, 'linked', false", adopted = "false" } = {},
): string {
  return `json_build_object('kind', ${kind}, 'container', ${container}, 'name', ${name},
    'owner', pg_get_userbyid(${owner}), 'items', ${itemsSql(`coalesce(${acl}, acldefault(${letter}, ${owner}))`)},
    'ownerPrivileges', (SELECT json_agg(x.privilege_type) FROM aclexplode(acldefault(${letter}, ${owner})) AS x
                         WHERE x.grantee = ${owner}),
    'withheld', ${more}, 'adopted', ${adopted})`;
}

/** True when the access list is not exactly the owner's own and the given ones, or the owner is one of ours. */
function differs(acl: string, letter: string, owner: string, expected: readonly string[]): string {
  const list = `(${[`array_remove(acldefault(${letter}, ${owner}), makeaclitem(0, ${owner}, ${publicDefault(letter)}, false))`, ...expected].join(" || ")})`;
  const actual = `coalesce(${acl}, acldefault(${letter}, ${owner}))`;
  return `(${owner} IN (w.application, w.readonly)
     OR NOT (${actual} @> ${list} AND cardinality(${actual}) = cardinality(${list})))`;
}

/** What PUBLIC has on such objects unless it is taken away; any word will do where it has nothing. */
function publicDefault(letter: string): string {
  return letter === "'f'" ? "'EXECUTE'" : letter === "'T'" ? "'USAGE'" : "'SELECT'";
}

function item(grantee: string, owner: string, privileges: string): string {
  return `makeaclitem(w.${grantee}, ${owner}, '${privileges}', false)`;
}

/** ARRAY[…] unless the condition keeps it from the read-only role. */
function itemUnless(condition: string, entry: string): string {
  return `CASE WHEN ${condition} THEN '{}'::aclitem[] ELSE ARRAY[${entry}] END`;
}

const RELATION_LETTER = "(CASE c.relkind WHEN 'S' THEN 's' ELSE 'r' END)::\"char\"";
/** A routine that runs with its owner's rights could write for who may only read; one for triggers is called by none. */
const WITHHELD = "(p.prosecdef OR p.prorettype IN ('trigger'::regtype, 'event_trigger'::regtype))";

/** One SELECT of one row and column: the `DatabaseInspection` as JSON. */
export function inspectionSql(database: DatabaseSpecification): string {
  const { administrator, application, readonly } = database;
  const managed = managedSchemas(database);
  const list = (names: readonly string[]): string => names.map((name) => literal(name)).join(", ");
  const oid = (role: string): string => `(SELECT oid FROM pg_authid WHERE rolname = ${literal(role)})`;
  const ours = "x.grantee IN (w.application, w.readonly)";
  return `WITH w AS MATERIALIZED (
  SELECT ${oid(administrator)} AS administrator, ${oid(application)} AS application, ${oid(readonly)} AS readonly
), spaces AS MATERIALIZED (
  -- Those that the administrator has made by itself are adopted: the roles get their grants there as well.
  SELECT n.oid, n.nspname, n.nspname NOT IN (${list([...managed, TECHNICAL_SCHEMA])}) AS adopted FROM pg_namespace n, w
   WHERE n.nspname IN (${list([...managed, TECHNICAL_SCHEMA])})
      OR (n.nspowner = w.administrator AND n.nspname !~ '^(pg_|pgstack|information_schema$)')
), members AS MATERIALIZED (
  -- Of extensions; and the constructors of range types, which come and go with their type.
  SELECT classid, objid FROM pg_depend
   WHERE deptype = 'e' OR deptype = 'i' AND classid = 'pg_proc'::regclass AND refclassid = 'pg_type'::regclass
), relations AS MATERIALIZED (
  SELECT c.oid, c.relname, c.relkind, c.relowner, c.relacl, s.nspname, s.adopted
    FROM pg_class c JOIN spaces s ON s.oid = c.relnamespace, w
   WHERE (NOT s.adopted OR c.relowner = w.administrator) AND c.relkind IN ('r', 'p', 'v', 'm', 'f', 'S')
     AND (c.oid NOT IN (SELECT objid FROM members WHERE classid = 'pg_class'::regclass))
), objects AS (
  SELECT ${objectSql("'DATABASE'", "d.datname", "quote_ident(d.datname)", "d.datdba", "d.datacl", "'d'")} AS o
    FROM pg_database d WHERE d.datname IN (${list([database.name, ...MAINTENANCE_DATABASES])})
  UNION ALL
  SELECT ${objectSql("'SCHEMA'", "n.nspname", "quote_ident(n.nspname)", "n.nspowner", "n.nspacl", "'n'", { adopted: "s.adopted" })}
    FROM pg_namespace n JOIN spaces s USING (oid)
  UNION ALL
  SELECT ${objectSql(
    "CASE c.relkind WHEN 'S' THEN 'SEQUENCE' ELSE 'TABLE' END",
    "c.nspname",
    "format('%I.%I', c.nspname, c.relname)",
    "c.relowner",
    "c.relacl",
    RELATION_LETTER,
    {
      adopted: "c.adopted",
      more: `false, 'linked', EXISTS (SELECT FROM pg_depend d WHERE d.classid = 'pg_class'::regclass AND d.objid = c.oid
       AND c.relkind = 'S' AND d.refclassid = 'pg_class'::regclass AND d.deptype IN ('a', 'i'))`,
    },
  )}
    FROM relations c, w
   WHERE c.nspname = ${literal(TECHNICAL_SCHEMA)}
      OR (c.relkind = 'S' AND ${differs("c.relacl", "'s'", "c.relowner", [
        item("application", "c.relowner", "USAGE,SELECT"),
        item("readonly", "c.relowner", "SELECT"),
      ])})
      OR (c.relkind <> 'S' AND ${differs("c.relacl", "'r'", "c.relowner", [
        item("application", "c.relowner", "SELECT,INSERT,UPDATE,DELETE"),
        item("readonly", "c.relowner", "SELECT"),
      ])})
  UNION ALL
  SELECT ${objectSql("'ROUTINE'", "s.nspname", "p.oid::regprocedure::text", "p.proowner", "p.proacl", "'f'", { more: `${WITHHELD}, 'linked', false`, adopted: "s.adopted" })}
    FROM pg_proc p JOIN spaces s ON s.oid = p.pronamespace, w
   WHERE p.oid NOT IN (SELECT objid FROM members WHERE classid = 'pg_proc'::regclass)
     AND (NOT s.adopted OR p.proowner = w.administrator)
     AND (s.nspname = ${literal(TECHNICAL_SCHEMA)} OR ${differs("p.proacl", "'f'", "p.proowner", [
       item("application", "p.proowner", "EXECUTE"),
       itemUnless(WITHHELD, item("readonly", "p.proowner", "EXECUTE")),
     ])})
  UNION ALL
  SELECT ${objectSql("'TYPE'", "s.nspname", "format('%I.%I', s.nspname, t.typname)", "t.typowner", "t.typacl", "'T'", { adopted: "s.adopted" })}
    FROM pg_type t JOIN spaces s ON s.oid = t.typnamespace LEFT JOIN pg_class c ON c.oid = t.typrelid, w
   WHERE (NOT s.adopted OR t.typowner = w.administrator) AND t.typtype <> 'm' AND t.typtype <> 'p' AND coalesce(c.relkind, 'c') = 'c'
     AND NOT (t.typelem <> 0 AND t.typsubscript = 'array_subscript_handler'::regproc)
     AND t.oid NOT IN (SELECT objid FROM members WHERE classid = 'pg_type'::regclass)
     AND (s.nspname = ${literal(TECHNICAL_SCHEMA)} OR ${differs("t.typacl", "'T'", "t.typowner", [
       item("application", "t.typowner", "USAGE"),
       item("readonly", "t.typowner", "USAGE"),
     ])})
), stray AS (
  SELECT json_build_object('kind', 'TABLE', 'name', c.oid::regclass::text, 'column', NULL,
                           'grantee', g.rolname, 'privilege', x.privilege_type) AS o
    FROM w, pg_class c CROSS JOIN aclexplode(c.relacl) AS x LEFT JOIN pg_authid g ON g.oid = x.grantee
   WHERE c.relnamespace IN ('pg_catalog'::regnamespace, 'information_schema'::regnamespace)
     AND (${ours} OR x.grantee = 0 AND c.relnamespace = 'pg_catalog'::regnamespace AND NOT EXISTS (
       SELECT FROM pg_init_privs i CROSS JOIN aclexplode(i.initprivs) AS y
        WHERE i.classoid = 'pg_class'::regclass AND i.objoid = c.oid AND i.objsubid = 0
          AND y.grantee = 0 AND y.privilege_type = x.privilege_type))
  UNION ALL
  SELECT json_build_object('kind', 'TABLE', 'name', c.oid::regclass::text, 'column', quote_ident(a.attname),
                           'grantee', g.rolname, 'privilege', x.privilege_type)
    FROM w, pg_attribute a JOIN pg_class c ON c.oid = a.attrelid CROSS JOIN aclexplode(a.attacl) AS x
         LEFT JOIN pg_authid g ON g.oid = x.grantee
   WHERE a.attacl IS NOT NULL AND a.attnum > 0 AND NOT a.attisdropped
     AND c.relnamespace IN ('pg_catalog'::regnamespace, 'information_schema'::regnamespace)
     AND (${ours} OR x.grantee = 0 AND c.relnamespace = 'pg_catalog'::regnamespace AND NOT EXISTS (
       SELECT FROM pg_init_privs i CROSS JOIN aclexplode(i.initprivs) AS y
        WHERE i.classoid = 'pg_class'::regclass AND i.objoid = c.oid AND i.objsubid = a.attnum
          AND y.grantee = 0 AND y.privilege_type = x.privilege_type))
  UNION ALL
  SELECT json_build_object('kind', 'ROUTINE', 'name', 'pg_catalog.' || p.oid::regprocedure::text, 'column', NULL,
                           'grantee', g.rolname, 'privilege', x.privilege_type)
    FROM w, pg_proc p CROSS JOIN aclexplode(p.proacl) AS x LEFT JOIN pg_authid g ON g.oid = x.grantee
   WHERE p.proacl IS NOT NULL AND p.pronamespace = 'pg_catalog'::regnamespace AND p.proname NOT IN (${list(GUARDED_FUNCTIONS)})
     AND (${ours} OR x.grantee = 0 AND EXISTS (
       SELECT FROM pg_init_privs i WHERE i.classoid = 'pg_proc'::regclass AND i.objoid = p.oid AND i.objsubid = 0
          AND NOT EXISTS (SELECT FROM aclexplode(i.initprivs) AS y WHERE y.grantee = 0)))
  UNION ALL
  SELECT json_build_object('kind', 'PARAMETER',
           'name', (SELECT string_agg(quote_ident(part), '.' ORDER BY n)
                      FROM string_to_table(a.parname, '.') WITH ORDINALITY AS parts(part, n)),
           'column', NULL, 'grantee', g.rolname, 'privilege', x.privilege_type)
    FROM w, pg_parameter_acl a CROSS JOIN aclexplode(a.paracl) AS x LEFT JOIN pg_authid g ON g.oid = x.grantee
   WHERE ${ours} OR x.grantee = 0
)
SELECT json_build_object(
  'exists', current_database() = ${literal(database.name)},
  'encoding', (SELECT pg_encoding_to_char(encoding) FROM pg_database WHERE datname = ${literal(database.name)}),
  'missingRoles', (SELECT coalesce(json_agg(name), '[]')
     FROM unnest(ARRAY[${list([administrator, application, readonly])}]) AS name
    WHERE name NOT IN (SELECT rolname FROM pg_authid)),
  'superuserHasPassword', (SELECT rolpassword IS NOT NULL FROM pg_authid WHERE rolname = ${literal(SUPERUSER)}),
  'schemas', (SELECT coalesce(json_agg(nspname), '[]') FROM spaces),
  'extensions', (SELECT coalesce(json_agg(extname), '[]') FROM pg_extension),
  'probeTable', EXISTS (SELECT FROM relations
     WHERE nspname = ${literal(TECHNICAL_SCHEMA)} AND relname = ${literal(PROBE_TABLE)}),
  'objects', (SELECT coalesce(json_agg(o), '[]') FROM objects),
  'columns', (SELECT coalesce(json_agg(json_build_object('table', format('%I.%I', c.nspname, c.relname),
       'column', quote_ident(a.attname), 'owner', pg_get_userbyid(c.relowner), 'items', ${itemsSql("a.attacl")})), '[]')
     FROM pg_attribute a JOIN relations c ON c.oid = a.attrelid
    WHERE NOT c.adopted AND a.attacl IS NOT NULL AND cardinality(a.attacl) > 0 AND NOT a.attisdropped),
  'defaults', (SELECT coalesce(json_agg(json_build_object('role', pg_get_userbyid(d.defaclrole), 'schema', n.nspname,
       'objects', d.defaclobjtype, 'items', ${itemsSql("d.defaclacl")})), '[]')
     FROM pg_default_acl d LEFT JOIN pg_namespace n ON n.oid = d.defaclnamespace),
  'guarded', (SELECT coalesce(json_agg(json_build_object('name', 'pg_catalog.' || p.oid::regprocedure::text,
       'items', ${itemsSql("coalesce(p.proacl, acldefault('f', p.proowner))")})
       ORDER BY p.oid::regprocedure::text), '[]')
     FROM pg_proc p WHERE p.pronamespace = 'pg_catalog'::regnamespace AND p.proname IN (${list(GUARDED_FUNCTIONS)})),
  'stray', (SELECT coalesce(json_agg(o), '[]') FROM stray))`;
}
