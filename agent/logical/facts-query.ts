import type { RelationName } from "./names.ts";
import { namesTable } from "./parts-queries.ts";

/** One thing that the catalogue says about a relation, or about what hangs on it. */
export interface Fact {
  /** For people: `trigger touched on public.orders`. */
  readonly object: string;
  /** What it is in particular; comparable, not for people. */
  readonly definition: string;
  /** Of an object of its own: its type, as pg_identify_object tells it. */
  readonly type: string | null;
  /** Of an object in a schema: that schema. */
  readonly schema: string | null;
  /** For SQL, where it is an object of its own. */
  readonly identity: string | null;
  /** It is not the relation's own but rests on it, as a view does. */
  readonly resting: boolean;
}

/** Columns of pg_class that say where rows are and how many, not what the relation is. */
const PHYSICAL = [
  ...[
    "oid",
    "relname",
    "relnamespace",
    "reltype",
    "reloftype",
    "relowner",
    "relam",
    "relfilenode",
    "reltablespace",
  ],
  ...[
    "relpages",
    "reltuples",
    "relallvisible",
    "relallfrozen",
    "reltoastrelid",
    "relhasindex",
    "relisshared",
  ],
  ...[
    "relnatts",
    "relchecks",
    "relhasrules",
    "relhastriggers",
    "relhassubclass",
    "relispopulated",
    "relrewrite",
  ],
  ...["relfrozenxid", "relminmxid", "relacl", "relpartbound"],
];
/** The same of pg_attribute. */
const PLACES = [
  ...["attrelid", "attname", "atttypid", "attnum", "attndims", "attcacheoff", "atttypmod", "attcollation"],
  ...["atthasdef", "atthasmissing", "attmissingval", "attacl"],
];
/** What people call columns of pg_class. */
const NAMES: Readonly<Record<string, string>> = {
  relreplident: "replica identity",
  relrowsecurity: "row security",
  relforcerowsecurity: "forced row security",
  reloptions: "storage parameters",
  toastoptions: "storage parameters (TOAST)",
  relpersistence: "persistence",
  relkind: "kind",
  relispartition: "place as a partition",
};
const nameOf = (key: string): string =>
  `CASE ${key} ${Object.entries(NAMES)
    .map(([column, name]) => `WHEN '${column}' THEN '${name}'`)
    .join(" ")} ELSE ${key} END`;
const list = (names: readonly string[]): string => `'{${names.join(",")}}'::text[]`;

/** Casts that PostgreSQL itself writes otherwise once an expression was dumped and read again, and parentheses. */
const UNSTABLE = "'::(character varying|bpchar|character|text)([(][0-9]+[)])?([[][]])?|[()]'";
const stable = (expression: string): string => `regexp_replace(${expression}, ${UNSTABLE}, '', 'g')`;

/**
 * A query for all facts about relations, their partitions and children, and about everything that depends on them:
 * columns, defaults, constraints, indexes, triggers, policies, rules, statistics, sequences, publications, grants,
 * comments, labels, views, foreign keys of others, functions. It goes by the catalogue of dependencies, so that what it
 * does not know by name is at least there or missing.
 */
export function factsQuery(relations: readonly RelationName[]): string {
  return `WITH RECURSIVE named(schema, name) AS (${namesTable(relations)}),
  tree AS (
    SELECT c.oid FROM named r JOIN pg_namespace n ON n.nspname = r.schema JOIN pg_class c ON c.relnamespace = n.oid AND c.relname = r.name
     UNION SELECT i.inhrelid FROM tree JOIN pg_inherits i ON i.inhparent = tree.oid),
  own AS (
    SELECT 'pg_class'::regclass::oid AS classid, oid AS objid, 0 AS objsubid FROM tree
     UNION SELECT d.classid, d.objid, d.objsubid FROM own o JOIN pg_depend d
           ON d.refclassid = o.classid AND d.refobjid = o.objid AND d.deptype IN ('a', 'i', 'P', 'S')
          AND (o.objsubid = 0 OR d.refobjsubid = o.objsubid)),
  every AS (
    SELECT * FROM own
     UNION SELECT x.classid, x.objid, x.objsubid FROM every e, LATERAL (
       SELECT d.classid, d.objid, d.objsubid FROM pg_depend d
        WHERE d.refclassid = e.classid AND d.refobjid = e.objid AND d.deptype NOT IN ('e', 'x')
          AND (e.objsubid = 0 OR d.refobjsubid = e.objsubid)
        UNION ALL SELECT 'pg_class'::regclass, ev_class, 0 FROM pg_rewrite
        WHERE e.classid = 'pg_rewrite'::regclass AND pg_rewrite.oid = e.objid) x),
  objects AS (
    SELECT e.*, i.type, i.schema, i.identity, NOT EXISTS (SELECT FROM own o WHERE (o.classid, o.objid) = (e.classid, e.objid)) AS resting
      FROM every e, pg_identify_object(e.classid, e.objid, e.objsubid) i
     WHERE i.schema IS DISTINCT FROM 'pg_toast' AND (e.classid <> 'pg_type'::regclass OR NOT EXISTS (
             SELECT FROM pg_type t LEFT JOIN pg_type a ON a.oid = t.typelem WHERE t.oid = e.objid AND coalesce(nullif(t.typrelid, 0), a.typrelid) <> 0))),
  relations AS (
    SELECT c.*, o.type, o.identity, o.resting, r.rolname AS owner, am.amname, ts.spcname
      FROM objects o JOIN pg_class c ON c.oid = o.objid AND o.classid = 'pg_class'::regclass AND o.objsubid = 0
      JOIN pg_roles r ON r.oid = c.relowner LEFT JOIN pg_am am ON am.oid = c.relam LEFT JOIN pg_tablespace ts ON ts.oid = c.reltablespace),
  facts(object, definition, resting, type, schema, identity) AS (
    SELECT o.type || ' ' || o.identity, CASE o.classid
             WHEN 'pg_constraint'::regclass THEN (SELECT ${stable("pg_get_constraintdef(oid)")} || convalidated::text FROM pg_constraint WHERE oid = o.objid)
             WHEN 'pg_trigger'::regclass THEN (SELECT ${stable("pg_get_triggerdef(oid)")} || tgenabled::text FROM pg_trigger WHERE oid = o.objid)
             WHEN 'pg_rewrite'::regclass THEN (SELECT ${stable("pg_get_ruledef(oid)")} || ev_enabled::text FROM pg_rewrite WHERE oid = o.objid)
             WHEN 'pg_attrdef'::regclass THEN (SELECT ${stable("pg_get_expr(adbin, adrelid)")} FROM pg_attrdef WHERE oid = o.objid)
             WHEN 'pg_statistic_ext'::regclass THEN (SELECT ${stable("pg_get_statisticsobjdef(oid)")} || coalesce(stxstattarget, -1)::text || stxowner::regrole::text FROM pg_statistic_ext WHERE oid = o.objid)
             WHEN 'pg_policy'::regclass THEN (SELECT ${stable("concat_ws('|', polcmd::text, polpermissive, (SELECT string_agg(CASE role WHEN 0 THEN 'public' ELSE pg_get_userbyid(role)::text END, ',' ORDER BY pg_get_userbyid(role)) FROM unnest(polroles) role), pg_get_expr(polqual, polrelid), pg_get_expr(polwithcheck, polrelid))")} FROM pg_policy WHERE oid = o.objid)
             WHEN 'pg_publication_rel'::regclass THEN (SELECT ${stable("concat_ws('|', (SELECT string_agg(attname, ',' ORDER BY attname) FROM pg_attribute WHERE attrelid = prrelid AND attnum = ANY (prattrs)), pg_get_expr(prqual, prrelid))")} FROM pg_publication_rel WHERE oid = o.objid)
             WHEN 'pg_class'::regclass THEN CASE
               WHEN o.objsubid <> 0 THEN ''
               ELSE coalesce((SELECT ${stable("pg_get_indexdef(indexrelid)")} || indisclustered::text || indisreplident::text FROM pg_index WHERE indexrelid = o.objid),
                             (SELECT (to_jsonb(s) - 'seqrelid' - 'seqtypid')::text || format_type(seqtypid, NULL) FROM pg_sequence s WHERE seqrelid = o.objid), '') END
             ELSE '' END, o.resting, o.type, o.schema, o.identity
      FROM objects o
     WHERE NOT EXISTS (SELECT FROM pg_trigger t WHERE o.classid = 'pg_trigger'::regclass AND t.oid = o.objid AND (t.tgisinternal OR t.tgparentid <> 0))
       AND NOT EXISTS (SELECT FROM pg_constraint k WHERE o.classid = 'pg_constraint'::regclass AND k.oid = o.objid AND k.conparentid <> 0 AND NOT o.resting)
    UNION ALL
    SELECT ${nameOf("property.key")} || ' of ' || r.type || ' ' || r.identity, property.value, r.resting, NULL, NULL, NULL FROM relations r, LATERAL (
      SELECT key, value FROM jsonb_each_text((SELECT to_jsonb(c) FROM pg_class c WHERE c.oid = r.oid) - ${list(PHYSICAL)})
      UNION ALL VALUES ('owner', r.owner::text), ('access method', r.amname::text), ('tablespace', r.spcname::text),
        ('toastoptions', (SELECT reloptions::text FROM pg_class t WHERE t.oid = r.reltoastrelid)),
        ('parents', (SELECT string_agg(inhparent::regclass::text, ',' ORDER BY inhseqno) FROM pg_inherits WHERE inhrelid = r.oid)),
        ('partition bound', pg_get_expr(r.relpartbound, r.oid)), ('partition key', CASE WHEN r.relkind = 'p' THEN pg_get_partkeydef(r.oid) END)
      ) property WHERE property.value IS NOT NULL
    UNION ALL
    SELECT 'column ' || quote_ident(a.attname) || ' of ' || r.type || ' ' || r.identity,
           (to_jsonb(a) - ${list(PLACES)})::text || format_type(a.atttypid, a.atttypmod) || coalesce(a.attcollation::regcollation::text, ''), r.resting, NULL, NULL, NULL
      FROM relations r JOIN pg_attribute a ON a.attrelid = r.oid AND a.attnum > 0 AND NOT a.attisdropped AND r.relkind <> 'S'
    UNION ALL
    SELECT 'grant of ' || g.privilege_type || ' on ' || r.type || ' ' || r.identity || ' to ' || CASE g.grantee WHEN 0 THEN 'PUBLIC' ELSE quote_ident(pg_get_userbyid(g.grantee)) END,
           g.is_grantable::text || quote_ident(pg_get_userbyid(g.grantor)), r.resting, NULL, NULL, NULL
      FROM relations r, aclexplode(coalesce(r.relacl, acldefault(CASE r.relkind WHEN 'S' THEN 's' ELSE 'r' END::"char", r.relowner))) g WHERE r.relkind <> 'i' AND r.relkind <> 'I'
    UNION ALL
    SELECT 'grant of ' || g.privilege_type || ' on column ' || quote_ident(a.attname) || ' of ' || r.identity || ' to ' || CASE g.grantee WHEN 0 THEN 'PUBLIC' ELSE quote_ident(pg_get_userbyid(g.grantee)) END,
           g.is_grantable::text || quote_ident(pg_get_userbyid(g.grantor)), r.resting, NULL, NULL, NULL
      FROM relations r JOIN pg_attribute a ON a.attrelid = r.oid AND a.attacl IS NOT NULL, aclexplode(a.attacl) g
    UNION ALL
    SELECT 'comment on ' || i.type || ' ' || i.identity, t.description, o.resting, NULL, NULL, NULL
      FROM objects o JOIN pg_description t ON (t.classoid, t.objoid) = (o.classid, o.objid), pg_identify_object(t.classoid, t.objoid, t.objsubid) i
    UNION ALL
    SELECT 'security label on ' || i.type || ' ' || i.identity, t.provider || ' ' || t.label, o.resting, NULL, NULL, NULL
      FROM objects o JOIN pg_seclabel t ON (t.classoid, t.objoid) = (o.classid, o.objid), pg_identify_object(t.classoid, t.objoid, t.objsubid) i
    UNION ALL
    SELECT 'subscription ' || quote_ident(s.subname) || ' to ' || r.identity, '', false, NULL, NULL, NULL
      FROM relations r JOIN pg_subscription_rel sr ON sr.srrelid = r.oid JOIN pg_subscription s ON s.oid = sr.srsubid)
SELECT DISTINCT object, definition, resting, type, schema, identity FROM facts`;
}
