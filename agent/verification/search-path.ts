import type { Ask, Finding } from "./findings.ts";

/**
 * Functions that a restore of a dump calls, and that find nothing then: pg_dump and pg_restore set an empty search_path, and
 * a body that names a table, function or type without its schema fails. Told by the names in the body, so that one
 * which only looks like it may be among them.
 *
 * Source: https://www.postgresql.org/docs/16/app-pgdump.html
 */
export async function searchPathFindings(ask: Ask): Promise<Finding[]> {
  const called = await ask<CalledFunction>(CALLED);
  if (called.length === 0) return [];
  const schemas = Map.groupBy(await ask<{ name: string; schema: string }>(NAMES), ({ name }) => name);
  return called.flatMap((found): Finding[] => {
    const named = [...unqualifiedWords(found.body)]
      .filter((word) => !found.parameters.includes(word))
      .flatMap((word) => schemas.get(word) ?? []);
    const [first] = named;
    if (first === undefined) return [];
    const path = [...new Set(named.map(({ schema }) => schema))].sort(
      (left, right) => Number(right === found.schema) - Number(left === found.schema),
    );
    return [
      {
        kind: "search_path",
        object: found.function,
        message: `function ${found.function} is called by ${found.caller} and finds ${first.name} by search_path, which a restore of a dump empties: ALTER FUNCTION ${found.function} SET search_path = ${path.join(", ")}, pg_temp`,
      },
    ];
  });
}

interface CalledFunction {
  readonly function: string;
  readonly schema: string;
  readonly caller: string;
  readonly parameters: readonly string[];
  readonly body: string;
}

/** Words of a body that stand neither before nor after a dot, folded as the server does it; comments are no part of it. */
export function unqualifiedWords(body: string): Set<string> {
  const code = body.replaceAll(/--[^\n]*|\/\*[\s\S]*?\*\//g, " ");
  const found = new Set<string>();
  for (const { 0: word, index } of code.matchAll(/"(?:[^"]|"")+"|[\p{L}_][\p{L}\p{N}_$]*/gu)) {
    if (/\.\s*$/.test(code.slice(0, index)) || /^\s*\./.test(code.slice(index + word.length))) continue;
    found.add(word.startsWith('"') ? word.slice(1, -1).replaceAll('""', '"') : word.toLowerCase());
  }
  return found;
}

/**
 * Functions in CHECK constraints, index and partition expressions, generated columns and materialized views, also through
 * views and operators. A body that was parsed when the function was made (prosqlbody) needs no search_path.
 */
const CALLED = `
  WITH RECURSIVE held AS (
    SELECT c.oid AS relid, format('materialized view %s', c.oid::regclass) AS caller FROM pg_class c
     WHERE c.relkind = 'm' AND c.relispopulated
    UNION
    SELECT d.refobjid, held.caller FROM held
      JOIN pg_rewrite r ON r.ev_class = held.relid
      JOIN pg_depend d ON d.classid = 'pg_rewrite'::regclass AND d.objid = r.oid AND d.refclassid = 'pg_class'::regclass
      JOIN pg_class v ON v.oid = d.refobjid AND v.relkind = 'v'
  ), callers AS (
    SELECT 'pg_rewrite'::regclass AS classid, r.oid AS objid, 0 AS part, held.caller
      FROM held JOIN pg_rewrite r ON r.ev_class = held.relid
    UNION ALL
    SELECT 'pg_constraint'::regclass, c.oid, 0,
           CASE WHEN c.conrelid <> 0 THEN format('constraint %s of table %s', quote_ident(c.conname), c.conrelid::regclass)
                ELSE format('constraint %s of domain %s', quote_ident(c.conname), c.contypid::regtype) END
      FROM pg_constraint c WHERE c.contype = 'c'
    UNION ALL
    SELECT 'pg_class'::regclass, c.oid, 0,
           format('%s %s', CASE WHEN c.relkind = 'p' THEN 'the partition key of' ELSE 'index' END, c.oid::regclass)
      FROM pg_class c WHERE c.relkind IN ('i', 'I', 'p')
    UNION ALL
    SELECT 'pg_attrdef'::regclass, f.oid, 0, format('generated column %s of table %s', quote_ident(a.attname), f.adrelid::regclass)
      FROM pg_attrdef f JOIN pg_attribute a ON a.attrelid = f.adrelid AND a.attnum = f.adnum AND a.attgenerated <> ''
  ), called AS (
    SELECT callers.caller, coalesce(o.oprcode::oid, d.refobjid) AS function
      FROM callers JOIN pg_depend d ON d.classid = callers.classid AND d.objid = callers.objid
      LEFT JOIN pg_operator o ON d.refclassid = 'pg_operator'::regclass AND o.oid = d.refobjid
     WHERE d.refclassid = 'pg_proc'::regclass OR o.oid IS NOT NULL
  )
  SELECT p.oid::regprocedure::text AS function, quote_ident(n.nspname) AS schema, min(called.caller) AS caller,
         coalesce(p.proargnames, '{}') AS parameters, p.prosrc AS body
    FROM called JOIN pg_proc p ON p.oid = called.function
    JOIN pg_namespace n ON n.oid = p.pronamespace JOIN pg_language l ON l.oid = p.prolang
   WHERE l.lanname IN ('sql', 'plpgsql') AND p.prosqlbody IS NULL AND n.nspname NOT IN ('pg_catalog', 'information_schema')
     AND NOT EXISTS (SELECT FROM unnest(p.proconfig) setting WHERE setting LIKE 'search_path=%')
   GROUP BY p.oid, n.nspname`;

/** What a name without a schema may mean. */
const NAMES = `
  SELECT o.name, quote_ident(n.nspname) AS schema
    FROM (SELECT relname AS name, relnamespace AS space FROM pg_class WHERE relkind IN ('r', 'p', 'v', 'm', 'f', 'S')
          UNION SELECT proname, pronamespace FROM pg_proc
          UNION SELECT typname, typnamespace FROM pg_type WHERE typtype <> 'p' AND typelem = 0) o
    JOIN pg_namespace n ON n.oid = o.space
   WHERE n.nspname !~ '^pg_' AND n.nspname <> 'information_schema'`;
