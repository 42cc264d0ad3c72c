import { setTimeout as delay } from "node:timers/promises";
import type { Context } from "../context.ts";
import { Refusal } from "../failure.ts";
import { psql, query, quoteIdentifier, quoteLiteral, type Server } from "../sql.ts";

/** One direction in which changes go. */
export interface Stream {
  /** Name of the publication, the subscription and the slot. */
  readonly name: string;
  /** Comment of the publication: where that bears it, the slot and the subscription of its name are ours as well. */
  readonly mark: string;
  readonly database: string;
  readonly publisher: Server;
  readonly subscriber: Server;
  /** The subscriber's server reaches the publisher by this port of its own socket folder. */
  readonly port: number;
}

/** How far a stream is behind. */
interface Behind {
  /** Tables whose first copy is not done. */
  readonly copying: number;
  readonly tables: number;
  /** Bytes of the write-ahead log that the subscriber has not confirmed. */
  readonly bytes: number;
  /** How often the subscriber has failed so far. */
  readonly errors: number;
}

const FAILURES = 2;
const POLL_MILLISECONDS = 200;
/** What is that near is reached within a moment once the publisher's database is closed. */
const NEAR_BYTES = 1024 ** 2;

/** Ordinary tables that hold data of their own; those of extensions come with them. */
const TABLES = `SELECT c.oid, format('%I.%I', n.nspname, c.relname) AS name, c.relreplident AS identity,
    EXISTS (SELECT FROM pg_index i WHERE i.indrelid = c.oid AND i.indisprimary) AS has_key
  FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
  WHERE c.relkind = 'r' AND c.relpersistence = 'p' AND n.nspname !~ '^pg_' AND n.nspname <> 'information_schema'
    AND NOT EXISTS (SELECT FROM pg_depend d WHERE d.objid = c.oid AND d.classid = 'pg_class'::regclass AND d.deptype = 'e')`;

/**
 * Has the tables without a key log whole rows, so that their changes can be carried out elsewhere.
 *
 * @returns Their names, for {@link logKeysAgain}.
 */
export async function logWholeRows(
  server: Server,
  database: string,
  { signal }: Pick<Context, "signal">,
): Promise<string[]> {
  const found = await query<{ name: string }>(
    server,
    `SELECT name FROM (${TABLES}) t WHERE identity = 'n' OR (identity = 'd' AND NOT has_key)`,
    { database, signal },
  );
  const names = found.map(({ name }) => name);
  for (const name of names) {
    // Whoever waits for this lock makes all others wait: so it is not waited for long.
    const sql = `SET lock_timeout = '3s';\nALTER TABLE ${name} REPLICA IDENTITY FULL;`;
    await psql(server, sql, { database, signal });
  }
  return names;
}

/** Undoes {@link logWholeRows}; a table that is gone meanwhile is none to undo it for. */
export async function logKeysAgain(
  server: Server,
  database: string,
  tables: readonly string[],
): Promise<void> {
  for (const table of tables) {
    await psql(server, `ALTER TABLE IF EXISTS ${table} REPLICA IDENTITY DEFAULT;`, { database });
  }
}

/**
 * Begins to carry changes from one server to the other.
 *
 * @param copy Copy what the tables hold first; without, both are alike already and nothing is written meanwhile.
 * @throws Refusal where something of its name is there: another upgrade's, or somebody's own.
 */
export async function beginStream(
  stream: Stream,
  copy: boolean,
  { signal }: Pick<Context, "signal">,
): Promise<void> {
  const { database, publisher, subscriber } = stream;
  const name = quoteIdentifier(stream.name);
  await requireFree(stream, { signal });
  const tables = await query<{ name: string }>(publisher, `SELECT name FROM (${TABLES}) t ORDER BY 1`, {
    database,
    signal,
  });
  // Named one by one: a table that is made later is not hindered by the rules of a publication.
  const list = tables.length === 0 ? "" : ` FOR TABLE ${tables.map((table) => table.name).join(", ")}`;
  const marked = `BEGIN; CREATE PUBLICATION ${name}${list}; COMMENT ON PUBLICATION ${name} IS ${quoteLiteral(stream.mark)}; COMMIT;`;
  await psql(publisher, marked, { database, signal });
  const connection = `host=${publisher.socketDirectory} port=${stream.port} dbname=${conninfoValue(database)} user=postgres`;
  await psql(
    subscriber,
    `CREATE SUBSCRIPTION ${name} CONNECTION ${quoteLiteral(connection)} PUBLICATION ${name}
      WITH (copy_data = ${copy}, create_slot = true, slot_name = ${quoteLiteral(stream.name)}, streaming = on);`,
    { database, signal },
  );
}

async function requireFree(stream: Stream, { signal }: Pick<Context, "signal">): Promise<void> {
  const { database, publisher, subscriber } = stream;
  const name = quoteLiteral(stream.name);
  const found = await query<{ what: string; mark: string | null }>(
    publisher,
    `SELECT 'publication' AS what, obj_description(oid, 'pg_publication') AS mark FROM pg_publication WHERE pubname = ${name}
     UNION ALL SELECT 'replication slot', NULL FROM pg_replication_slots WHERE slot_name = ${name}`,
    { database, signal },
  );
  const subscriptions = await query<{ what: string; mark: string | null }>(
    subscriber,
    `SELECT 'subscription' AS what, NULL AS mark FROM pg_subscription WHERE subname = ${name} AND subdbid = (SELECT oid FROM pg_database WHERE datname = current_database())`,
    { database, signal },
  );
  const [there] = [...found, ...subscriptions];
  if (there === undefined) return;
  const whose =
    there.mark === null ? "which this upgrade did not make: drop it if nobody needs it" : there.mark;
  throw new Refusal(`there is a ${there.what} ${stream.name} in database ${database}, ${whose}`);
}

/** A value of a connection string: https://www.postgresql.org/docs/16/libpq-connect.html#LIBPQ-CONNSTRING */
function conninfoValue(text: string): string {
  return `'${text.replaceAll("\\", "\\\\").replaceAll("'", "\\'")}'`;
}

/**
 * Ends a stream and removes what it had on both servers, whatever of it is there.
 *
 * @param marked Whether what bears no mark is not the stream's; earlier versions began streams without one.
 */
export async function endStream(stream: Stream, { marked }: { readonly marked: boolean }): Promise<void> {
  const { database, publisher, subscriber } = stream;
  if (marked) {
    const ours = `SELECT 1 FROM pg_publication WHERE pubname = ${quoteLiteral(stream.name)} AND obj_description(oid, 'pg_publication') = ${quoteLiteral(stream.mark)}`;
    if ((await query(publisher, ours, { database })).length === 0) return;
  }
  const name = quoteIdentifier(stream.name);
  const [there] = await query<{ id: number }>(
    subscriber,
    `SELECT s.oid::int8 AS id FROM pg_subscription s JOIN pg_database d ON d.oid = s.subdbid
      WHERE d.datname = ${quoteLiteral(database)} AND subname = ${quoteLiteral(stream.name)}`,
  );
  const slots = [`slot_name = ${quoteLiteral(stream.name)}`];
  if (there !== undefined) {
    // Without its slots: they are dropped below, also where the subscriber does not reach the publisher.
    await psql(
      subscriber,
      `ALTER SUBSCRIPTION ${name} DISABLE;\nALTER SUBSCRIPTION ${name} SET (slot_name = NONE);\nDROP SUBSCRIPTION ${name};`,
      { database },
    );
    slots.push(`slot_name LIKE 'pg\\_${there.id}\\_sync\\_%'`);
  }
  await psql(
    publisher,
    `SELECT pg_terminate_backend(active_pid, 10000) FROM pg_replication_slots
      WHERE active_pid IS NOT NULL AND (${slots.join(" OR ")});
     SELECT pg_drop_replication_slot(slot_name) FROM pg_replication_slots WHERE ${slots.join(" OR ")};
     DROP PUBLICATION IF EXISTS ${name};`,
    { database },
  );
}

/** Waits until the first copies are done and little is left to be carried over. */
export async function untilNear(stream: Stream, context: Context): Promise<void> {
  const first = await behind(stream, context);
  for (;;) {
    const now = await behind(stream, context);
    refuseFailing(first, now);
    const { copying, tables, bytes } = now;
    if (copying === 0 && bytes < NEAR_BYTES) return;
    const text = copying > 0 ? "copying tables" : "catching up";
    context.step(text, tables === 0 ? undefined : (tables - copying) / tables);
    await delay(POLL_MILLISECONDS, undefined, { signal: context.signal });
  }
}

/** Waits until everything that the publisher has committed is carried out. Its database must be closed. */
export async function untilLevel(stream: Stream, context: Context): Promise<void> {
  const [end] = await query<{ lsn: string }>(
    stream.publisher,
    "SELECT pg_current_wal_insert_lsn()::text AS lsn",
    context,
  );
  const first = await behind(stream, context);
  for (;;) {
    const [slot] = await query<{ level: boolean }>(
      stream.publisher,
      `SELECT coalesce(confirmed_flush_lsn >= ${quoteLiteral(end?.lsn ?? "")}::pg_lsn, false) AS level
         FROM pg_replication_slots WHERE slot_name = ${quoteLiteral(stream.name)}`,
      context,
    );
    const now = await behind(stream, context);
    refuseFailing(first, now);
    if (slot?.level === true && now.copying === 0) return;
    await delay(POLL_MILLISECONDS / 4, undefined, { signal: context.signal });
  }
}

async function behind(
  { name, database, publisher, subscriber }: Stream,
  { signal }: Pick<Context, "signal">,
): Promise<Behind> {
  const [[slot], [copies], [worker]] = await Promise.all([
    query<{ bytes: number; status: string }>(
      publisher,
      `SELECT coalesce(pg_wal_lsn_diff(pg_current_wal_insert_lsn(), confirmed_flush_lsn), 0)::float8 AS bytes, wal_status AS status
         FROM pg_replication_slots WHERE slot_name = ${quoteLiteral(name)}`,
      { signal },
    ),
    query<{ copying: number; tables: number }>(
      subscriber,
      "SELECT count(*) FILTER (WHERE srsubstate <> 'r')::int AS copying, count(*)::int AS tables FROM pg_subscription_rel",
      { database, signal },
    ),
    query<{ errors: number }>(
      subscriber,
      `SELECT (apply_error_count + sync_error_count)::int AS errors FROM pg_stat_subscription_stats WHERE subname = ${quoteLiteral(name)}`,
      { signal },
    ),
  ]);
  if (slot === undefined || slot.status === "lost") {
    throw new Refusal("the changes cannot be carried over: their replication slot is lost");
  }
  const { copying, tables } = copies ?? { copying: 0, tables: 0 };
  return { copying, tables, bytes: slot.bytes, errors: worker?.errors ?? 0 };
}

/** One error may be a connection that was cut; the same change that fails each time is not. */
function refuseFailing(first: Behind, now: Behind): void {
  if (now.errors - first.errors < FAILURES) return;
  throw new Refusal(
    "a change cannot be carried over, most likely since a table was altered on one side alone: pgstack logs of the stack that takes it says which",
  );
}

/** Brings the sequences to where the publisher's are: replication leaves them out. */
export async function copySequences(
  { database, publisher, subscriber }: Stream,
  { signal }: Pick<Context, "signal">,
): Promise<void> {
  const sequences = await query<{ name: string; value: string }>(
    publisher,
    "SELECT format('%I.%I', schemaname, sequencename) AS name, last_value::text AS value FROM pg_sequences WHERE last_value IS NOT NULL",
    { database, signal },
  );
  if (sequences.length === 0) return;
  const known = await query<{ name: string }>(
    subscriber,
    "SELECT format('%I.%I', schemaname, sequencename) AS name FROM pg_sequences",
    { database, signal },
  );
  const there = new Set(known.map(({ name }) => name));
  const calls = sequences
    .filter(({ name }) => there.has(name))
    .map(({ name, value }) => `SELECT setval(${quoteLiteral(name)}, ${BigInt(value)});`);
  await psql(subscriber, calls.join("\n"), { database, signal });
}

/** Fills the materialized views that the publisher has filled. */
export async function refreshViews(
  { database, publisher, subscriber }: Stream,
  { signal }: Pick<Context, "signal">,
): Promise<void> {
  const views = await query<{ name: string }>(
    publisher,
    // In the order in which they were made, since one may read another.
    `SELECT format('%I.%I', n.nspname, c.relname) AS name FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
      WHERE c.relkind = 'm' AND c.relispopulated ORDER BY c.oid`,
    { database, signal },
  );
  for (const { name } of views) {
    await psql(subscriber, `REFRESH MATERIALIZED VIEW ${name};`, { database, signal });
  }
}

/** Unlogged tables, which replication leaves out. */
export async function unloggedTables(
  server: Server,
  database: string,
  { signal }: Pick<Context, "signal">,
): Promise<string[]> {
  const found = await query<{ name: string }>(
    server,
    `SELECT format('%I.%I', n.nspname, c.relname) AS name FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
      WHERE c.relkind = 'r' AND c.relpersistence = 'u' ORDER BY 1`,
    { database, signal },
  );
  return found.map(({ name }) => name);
}
