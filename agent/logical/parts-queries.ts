import { quoteLiteral } from "../sql.ts";
import type { RelationName } from "./names.ts";

/** One relation that is named, as it is there. */
export interface PresentRelation extends RelationName {
  /** As `relkind` has it. */
  readonly kind: string;
  /** For SQL. */
  readonly quoted: string;
}

/** A statement that puts something back that a dump of parts leaves out. */
export interface Addition {
  readonly statement: string;
  /** The relation that it is about: one that is named, or a partition or child of it. */
  readonly schema: string;
  readonly name: string;
  /** What has to be there; absent: nothing. */
  readonly publication?: string;
  /** Columns that the publication has of it alone. */
  readonly columns?: readonly string[] | null;
  /** Expression for the rows that the publication has of it alone. */
  readonly filter?: string | null;
}

/** A partition that comes back without its parent. */
export interface LonePartition {
  /** Attaches it to its parent. */
  readonly statement: string;
  /** Entries of the table of contents that attach it and its indexes while they are being created. */
  readonly entries: readonly string[];
}

/** The relations with these names, as rows of `schema` and `name`. */
export function namesTable(relations: readonly RelationName[]): string {
  if (relations.length === 0) return "SELECT NULL::text, NULL::text WHERE false";
  const rows = relations.map(({ schema, name }) => `(${quoteLiteral(schema)}, ${quoteLiteral(name)})`);
  return `VALUES ${rows.join(", ")}`;
}

/** Everything in schemas that a dump of them has on its own: no partitions' indexes, no sequences of columns. */
export function relationsIn(schemas: readonly string[]): string {
  const names = schemas.length === 0 ? "NULL" : schemas.map(quoteLiteral).join(", ");
  return `SELECT n.nspname AS schema, c.relname AS name FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
     WHERE n.nspname IN (${names}) AND c.relkind IN ('r', 'p', 'v', 'm', 'f', 'S')
       AND NOT EXISTS (SELECT FROM pg_depend d WHERE d.classid = 'pg_class'::regclass AND d.objid = c.oid
                        AND (d.deptype = 'e' OR c.relkind = 'S' AND d.deptype IN ('a', 'i')))
     ORDER BY 1, 2`;
}

/** Which of the relations are there. */
export function presentRelations(relations: readonly RelationName[]): string {
  return `SELECT n.nspname AS schema, c.relname AS name, c.relkind::text AS kind, format('%I.%I', n.nspname, c.relname) AS quoted
      FROM (${namesTable(relations)}) r(schema, name) JOIN pg_namespace n ON n.nspname = r.schema
      JOIN pg_class c ON c.relnamespace = n.oid AND c.relname = r.name
     WHERE c.relkind IN ('r', 'p', 'v', 'm', 'f', 'S') ORDER BY 1, 2`;
}

/** Statements for the publications and statistics that relations, their partitions and children are in. */
export function additionStatements(relations: readonly RelationName[]): string {
  return `WITH RECURSIVE named(schema, name) AS (${namesTable(relations)}),
  tree AS (
    SELECT c.oid FROM named r JOIN pg_namespace n ON n.nspname = r.schema JOIN pg_class c ON c.relnamespace = n.oid AND c.relname = r.name
     UNION SELECT i.inhrelid FROM tree JOIN pg_inherits i ON i.inhparent = tree.oid),
  members AS (
    SELECT c.oid, n.nspname AS schema, c.relname AS name
      FROM tree JOIN pg_class c ON c.oid = tree.oid JOIN pg_namespace n ON n.oid = c.relnamespace)
  SELECT m.schema, m.name, p.pubname AS publication, pg_get_expr(pr.prqual, pr.prrelid) AS filter,
         (SELECT json_agg(a.attname ORDER BY a.attnum) FROM pg_attribute a
           WHERE a.attrelid = pr.prrelid AND a.attnum = ANY (pr.prattrs)) AS columns,
         format('ALTER PUBLICATION %I ADD TABLE ONLY %I.%I%s%s', p.pubname, m.schema, m.name,
           (SELECT ' (' || string_agg(quote_ident(a.attname), ', ' ORDER BY a.attnum) || ')'
              FROM pg_attribute a WHERE a.attrelid = pr.prrelid AND a.attnum = ANY (pr.prattrs)),
           ' WHERE (' || pg_get_expr(pr.prqual, pr.prrelid) || ')') AS statement
    FROM members m JOIN pg_publication_rel pr ON pr.prrelid = m.oid JOIN pg_publication p ON p.oid = pr.prpubid
  UNION ALL
  SELECT m.schema, m.name, NULL, NULL, NULL,
         concat_ws('; ', pg_get_statisticsobjdef(s.oid), format('ALTER STATISTICS %I.%I OWNER TO %I', sn.nspname, s.stxname, pg_get_userbyid(s.stxowner)),
           CASE WHEN s.stxstattarget >= 0 THEN format('ALTER STATISTICS %I.%I SET STATISTICS %s', sn.nspname, s.stxname, s.stxstattarget) END,
           format('COMMENT ON STATISTICS %I.%I IS %L', sn.nspname, s.stxname, obj_description(s.oid, 'pg_statistic_ext')))
    FROM members m JOIN pg_statistic_ext s ON s.stxrelid = m.oid JOIN pg_namespace sn ON sn.oid = s.stxnamespace
   ORDER BY 1, 2, 6`;
}

/**
 * Partitions whose parents are not among the relations. Such a parent has its indexes and constraints already, so that
 * the partition can be attached only when it has its own.
 */
export function lonePartitions(relations: readonly RelationName[]): string {
  return `WITH named(schema, name) AS (${namesTable(relations)}),
  ids AS (SELECT c.oid FROM named r JOIN pg_namespace n ON n.nspname = r.schema JOIN pg_class c ON c.relnamespace = n.oid AND c.relname = r.name)
  SELECT format('ALTER TABLE ONLY %I.%I ATTACH PARTITION %I.%I %s', pn.nspname, p.relname, n.nspname, c.relname, pg_get_expr(c.relpartbound, c.oid)) AS statement,
         (SELECT json_agg(entry) FROM (
            SELECT format('TABLE ATTACH %s %s', n.nspname, c.relname) AS entry UNION ALL
            SELECT format('INDEX ATTACH %s %s', n.nspname, x.relname) FROM pg_index i JOIN pg_class x ON x.oid = i.indexrelid
             WHERE i.indrelid = c.oid AND x.relispartition) e) AS entries
    FROM ids JOIN pg_class c ON c.oid = ids.oid AND c.relispartition JOIN pg_namespace n ON n.oid = c.relnamespace
    JOIN pg_inherits h ON h.inhrelid = c.oid JOIN pg_class p ON p.oid = h.inhparent JOIN pg_namespace pn ON pn.oid = p.relnamespace
   WHERE h.inhparent NOT IN (SELECT oid FROM ids)`;
}

/** Which owners may create nothing in which of the schemas that are there. */
export function foreignSchemas(schemas: readonly string[], owners: readonly string[]): string {
  const list = (names: readonly string[]): string => `ARRAY[${names.map(quoteLiteral).join(", ")}]::text[]`;
  return `SELECT n.nspname AS schema, r.rolname AS owner FROM pg_namespace n, pg_roles r
     WHERE n.nspname = ANY (${list(schemas)}) AND r.rolname = ANY (${list(owners)}) AND NOT has_schema_privilege(r.oid, n.oid, 'CREATE')`;
}
