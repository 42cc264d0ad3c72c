import type { Client } from "pg";
import { identifier, literal, type Sql } from "../sql.ts";
import { VALID } from "./index-checks.ts";
import { type Outside, regclass, sqlName } from "./outside.ts";

/** What a database had before a statement that runs outside of a transaction began. */
export interface Before {
  /** Object ids of the indexes that it could touch. */
  readonly indexes?: readonly string[];
  /** Those of them that were invalid. */
  readonly invalid?: readonly string[];
  /** The index, partition or database that it names was there. */
  readonly there?: boolean;
}

/** Something half done. */
export interface Leftover {
  readonly what: string;
  /** The statement that puts it in order. */
  readonly statement: Sql;
  /** It serves nothing and may be removed without asking. */
  readonly removable: boolean;
}

/** Looks at what a statement could touch, before it begins. */
export async function lookBefore(client: Client, outside: Outside): Promise<Before> {
  switch (outside.makes) {
    case "index":
    case "rebuilt indexes": {
      const { rows } = await client.query<{ id: string; valid: boolean }>(
        `SELECT i.indexrelid::text AS id, ${VALID} AS valid FROM pg_index i WHERE ${scope(outside)}`,
      );
      return {
        indexes: rows.map(({ id }) => id),
        invalid: rows.filter(({ valid }) => !valid).map(({ id }) => id),
      };
    }
    case "no index":
      return { there: await is(client, `to_regclass(${regclass(outside.index)}) IS NOT NULL`) };
    case "detached partition":
      return { there: await is(client, attached(outside)) };
    case "database":
    case "no database":
      return {
        there: await is(
          client,
          `EXISTS (SELECT FROM pg_database WHERE datname = ${literal(outside.database)})`,
        ),
      };
    case "parts":
      return {};
  }
}

/** What a statement that failed, or was interrupted, has left. */
export async function leftovers(client: Client, outside: Outside, before: Before): Promise<Leftover[]> {
  switch (outside.makes) {
    case "index":
    case "rebuilt indexes":
      return (await invalidIndexes(client, outside, before)).map((name) => ({
        what: `the invalid index ${name}`,
        statement: `DROP INDEX CONCURRENTLY ${name}`,
        removable: true,
      }));
    case "no index": {
      const name = sqlName(outside.index);
      const invalid = await is(
        client,
        `EXISTS (SELECT FROM pg_index i WHERE i.indexrelid = to_regclass(${regclass(outside.index)}) AND NOT ${VALID})`,
      );
      const what = `the index ${name}, which is invalid now and serves no query`;
      return invalid ? [{ what, statement: `DROP INDEX CONCURRENTLY ${name}`, removable: false }] : [];
    }
    case "detached partition": {
      const what = `the partition ${sqlName(outside.partition)}, whose detaching has begun and is not completed`;
      const pending = await isDetachPending(client, outside);
      return pending ? [{ what, statement: finalize(outside), removable: false }] : [];
    }
    case "database":
    case "no database": {
      const condition = outside.makes === "database" ? String(before.there !== true) : "datconnlimit = -2";
      const half = await is(
        client,
        `EXISTS (SELECT FROM pg_database WHERE datname = ${literal(outside.database)} AND ${condition})`,
      );
      const name = identifier(outside.database);
      const what = `the database ${name}`;
      return half ? [{ what, statement: `DROP DATABASE ${name}`, removable: false }] : [];
    }
    case "parts":
      return [];
  }
}

/** Whether a statement that was interrupted had done all of its work. */
export async function isDone(client: Client, outside: Outside, before: Before): Promise<boolean> {
  switch (outside.makes) {
    case "index": {
      const named = outside.index === undefined ? "true" : `c.relname = ${literal(outside.index.name)}`;
      const known = (before.indexes ?? []).join(", ") || "0";
      return is(
        client,
        `EXISTS (SELECT FROM pg_index i JOIN pg_class c ON c.oid = i.indexrelid
                  WHERE ${scope(outside)} AND ${named} AND ${VALID} AND i.indexrelid NOT IN (${known}))`,
      );
    }
    case "no index":
      return before.there === true && !(await lookBefore(client, outside)).there;
    case "detached partition":
      return before.there === true && !(await lookBefore(client, outside)).there;
    case "database":
      return before.there === false && (await lookBefore(client, outside)).there === true;
    case "no database":
      return before.there === true && (await lookBefore(client, outside)).there === false;
    default:
      // Doing it again does no harm, or nobody knows.
      return false;
  }
}

/** Whether the first half of DETACH PARTITION CONCURRENTLY stands. */
export async function isDetachPending(
  client: Client,
  { parent, partition }: Extract<Outside, { makes: "detached partition" }>,
): Promise<boolean> {
  return is(
    client,
    `EXISTS (SELECT FROM pg_inherits WHERE inhrelid = to_regclass(${regclass(partition)})
              AND inhparent = to_regclass(${regclass(parent)}) AND inhdetachpending)`,
  );
}

/** The second half of DETACH PARTITION CONCURRENTLY. */
export function finalize({ parent, partition }: Extract<Outside, { makes: "detached partition" }>): Sql {
  return `ALTER TABLE ${sqlName(parent)} DETACH PARTITION ${sqlName(partition)} FINALIZE`;
}

async function invalidIndexes(client: Client, outside: Outside, before: Before): Promise<string[]> {
  // A parent's index may be invalid on purpose (ON ONLY), and what another session builds is invalid meanwhile.
  const { rows } = await client.query<{ name: string }>(
    `SELECT format('%I.%I', n.nspname, c.relname) AS name
       FROM pg_index i JOIN pg_class c ON c.oid = i.indexrelid JOIN pg_namespace n ON n.oid = c.relnamespace
      WHERE ${scope(outside)} AND c.relkind = 'i' AND NOT ${VALID}
        AND i.indexrelid NOT IN (${(before.invalid ?? []).join(", ") || "0"})
        AND NOT EXISTS (SELECT FROM pg_stat_progress_create_index p WHERE p.index_relid = i.indexrelid)`,
  );
  return rows.map(({ name }) => name);
}

/** A condition on `pg_index i`: what the statement can touch. */
function scope(outside: Outside): Sql {
  if (outside.makes === "index") return `i.indrelid = to_regclass(${regclass(outside.table)})`;
  if (outside.makes !== "rebuilt indexes" || outside.what === undefined) return "true";
  const given = `to_regclass(${regclass(outside.what)})`;
  const table = `coalesce((SELECT indrelid FROM pg_index WHERE indexrelid = ${given}), ${given})`;
  const tables = `(SELECT relid FROM pg_partition_tree(${table}::regclass) UNION SELECT ${table})`;
  return `(i.indrelid IN ${tables} OR i.indrelid IN (SELECT reltoastrelid FROM pg_class WHERE oid IN ${tables}))`;
}

function attached({ parent, partition }: Extract<Outside, { makes: "detached partition" }>): Sql {
  return `EXISTS (SELECT FROM pg_inherits WHERE inhrelid = to_regclass(${regclass(partition)})
                   AND inhparent = to_regclass(${regclass(parent)}))`;
}

async function is(client: Client, condition: Sql): Promise<boolean> {
  const { rows } = await client.query<{ is: boolean }>(`SELECT ${condition} AS is`);
  return rows[0]?.is === true;
}
