import type { Context } from "../context.ts";
import { query, quoteLiteral, type Server } from "../sql.ts";
import type { Pair } from "./link.ts";
import type { Method } from "./state.ts";

/** What decides whether a database can go to another major version, and by which way. */
export interface Inspection {
  readonly oldVersion: string;
  readonly newVersion: string;
  /** The old database's own limit of connections; -1: none. */
  readonly connectionLimit: number;
  /** Why it cannot go, a line each. */
  readonly obstacles: readonly string[];
  /** What the user should know, a line each. */
  readonly notices: readonly string[];
}

interface Facts {
  readonly version: string;
  readonly major: number;
  readonly wal_level: string;
  readonly slots_free: number;
  readonly databases: readonly string[];
  readonly prepared: number;
  readonly large_objects: number;
  readonly subscriptions: readonly string[];
  readonly slots: readonly string[];
  readonly extensions: readonly string[];
  readonly unlogged: readonly string[];
  readonly connection_limit: number;
}

/** Looks at both servers before anything is changed on either. */
export async function inspect(
  pair: Pair,
  method: Method,
  context: Pick<Context, "signal">,
): Promise<Inspection> {
  const { facts: before, obstacles, notices } = await inspectOld(pair.old, pair.database, method, context);
  const [after] = await query<Pick<Facts, "version" | "major" | "extensions">>(
    pair.new,
    `SELECT current_setting('server_version') AS version, current_setting('server_version_num')::int / 10000 AS major,
            (SELECT coalesce(json_agg(name), '[]') FROM pg_available_extensions) AS extensions`,
    context,
  );
  if (after === undefined) throw new Error("the new server did not answer");
  const missing = before.extensions.filter((name) => !after.extensions.includes(name));
  return {
    ...{ oldVersion: before.version, newVersion: after.version, connectionLimit: before.connection_limit },
    obstacles: [
      ...(after.major > before.major
        ? []
        : [
            `the new server is PostgreSQL ${after.version} and the old one ${before.version}: it must be newer`,
          ]),
      ...missing.map((name) => `the new image has no extension ${name}`),
      ...obstacles,
    ],
    notices,
  };
}

/** What can be told from the old server alone. */
export async function inspectOld(
  server: Server,
  database: string,
  method: Method,
  { signal }: Pick<Context, "signal">,
): Promise<Pick<Inspection, "obstacles" | "notices"> & { readonly facts: Facts }> {
  const [facts] = await query<Facts>(server, factsSql(database), { database, signal });
  if (facts === undefined) throw new Error("the old server did not answer");
  const obstacles = [
    ...(facts.connection_limit === 0
      ? [`database ${database} is closed (connection limit 0): was it upgraded already?`]
      : []),
    ...(facts.databases.length === 0
      ? []
      : [
          `there are databases beside ${database}, which no stack declares: ${facts.databases.join(", ")}: move or drop them first`,
        ]),
    ...(facts.prepared === 0
      ? []
      : [`${facts.prepared} prepared transactions are open (pg_prepared_xacts): end them first`]),
    ...(facts.subscriptions.length === 0
      ? []
      : [
          `the database subscribes to others (${facts.subscriptions.join(", ")}): drop the subscriptions first`,
        ]),
    ...(method === "logical" ? logicalObstacles(facts) : []),
  ];
  const notices = [
    ...facts.slots.map((name) => `replication slot ${name} stays with the old server`),
    ...(facts.large_objects > 0
      ? ["large objects that are written after the change do not come back with --back"]
      : []),
    ...(facts.unlogged.length > 0
      ? [`unlogged tables are not followed by the way back: ${facts.unlogged.join(", ")}`]
      : []),
  ];
  return { facts, obstacles, notices };
}

function logicalObstacles(facts: Facts): string[] {
  return [
    ...(facts.wal_level === "logical"
      ? []
      : [
          `wal_level is ${facts.wal_level}: set pgstack:serverSettings.wal_level to logical in the old stack and bring it up (a restart of some seconds), or use --method dump`,
        ]),
    ...(facts.slots_free > 0
      ? []
      : ["no replication slot is free: raise pgstack:serverSettings.max_replication_slots in the old stack"]),
    ...(facts.large_objects === 0
      ? []
      : [
          `there are ${facts.large_objects} large objects, which logical replication leaves out: use --method dump`,
        ]),
  ];
}

function factsSql(database: string): string {
  return `SELECT current_setting('server_version') AS version, current_setting('server_version_num')::int / 10000 AS major,
    current_setting('wal_level') AS wal_level,
    least(current_setting('max_replication_slots')::int - (SELECT count(*) FROM pg_replication_slots),
          current_setting('max_wal_senders')::int - (SELECT count(*) FROM pg_stat_replication)) AS slots_free,
    (SELECT coalesce(json_agg(datname), '[]') FROM pg_database
      WHERE datallowconn AND datname NOT IN ('postgres', 'template1', ${quoteLiteral(database)})) AS databases,
    (SELECT count(*) FROM pg_prepared_xacts WHERE database = ${quoteLiteral(database)}) AS prepared,
    (SELECT count(*) FROM pg_largeobject_metadata) AS large_objects,
    (SELECT coalesce(json_agg(subname), '[]') FROM pg_subscription s JOIN pg_database d ON d.oid = s.subdbid
      WHERE d.datname = ${quoteLiteral(database)}) AS subscriptions,
    (SELECT coalesce(json_agg(slot_name), '[]') FROM pg_replication_slots) AS slots,
    (SELECT coalesce(json_agg(extname), '[]') FROM pg_extension) AS extensions,
    (SELECT coalesce(json_agg(oid::regclass::text), '[]') FROM pg_class WHERE relkind = 'r' AND relpersistence = 'u') AS unlogged,
    (SELECT datconnlimit FROM pg_database WHERE datname = ${quoteLiteral(database)}) AS connection_limit`;
}
