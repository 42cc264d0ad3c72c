import { setTimeout as delay } from "node:timers/promises";
import pLimit from "p-limit";
import type { Client } from "pg";
import type { DatabaseSpecification } from "../database.ts";
import { identifier, literal } from "../sql.ts";
import type { Target } from "../target.ts";
import { errorLine, UserError } from "../user-error.ts";
import { Capacity, type CapacityLimits } from "./capacity.ts";
import { copyScript } from "./copy.ts";
import { emptied } from "./end-sessions.ts";
import { requireTestEnvironment } from "./environment.ts";
import { exchange, MAKE_EXCHANGE } from "./exchange.ts";
import { LEASES, type Lease, LeaseTable, lockOf, makeLeaseTable, type PoolEntry } from "./lease-table.ts";
import { isOurs, MARK, TEST_PREFIX, testName } from "./names.ts";
import { PoolSessions, queryOf } from "./pool-sessions.ts";
import { listSnapshots, requireSnapshot, snapshotFile } from "./snapshot-files.ts";
import { ensureTemplate, type Template, templateBytes } from "./template.ts";
import { warmUp } from "./warm-up.ts";

/** What a {@link TestPool} serves, and how much of it. */
export interface PoolOptions extends CapacityLimits {
  /** Folder of the project, with its snapshots. */
  readonly project: string;
  /** Name of the snapshot. */
  readonly snapshot: string;
  readonly specification: DatabaseSpecification;
  /** A session of the administrator in the database `postgres`. */
  readonly connect: () => Promise<Client>;
  /** Databases that are kept ready. Default: 4. */
  readonly ready?: number;
  /** Told of what fails in the background. */
  readonly onProblem?: (message: string) => void;
}

const READY = 4;
const WAIT_SECONDS = 30;
/** Copies made at once: more are no sooner ready, and each takes two sessions and a psql of the server's container. */
const MAKERS = 4;
const POLL_MILLISECONDS = 25;
const SOON_MILLISECONDS = 50;

/**
 * Ready databases for parallel tests: each is a copy of a snapshot's template, given to one taker at a time, and thrown away
 * after it. What is given to whom stands in the cluster, so that several processes share one pool and a killed one leaks
 * nothing: leases end by themselves.
 */
export class TestPool {
  readonly #target: Target;
  readonly #options: PoolOptions;
  #template: Template;
  #table: LeaseTable;
  /** Of the snapshot that the template was made from. */
  #sha256: string;
  readonly #capacity: Capacity;
  readonly #sessions: PoolSessions;
  readonly #makers = pLimit(MAKERS);
  #background: Promise<void> | undefined;
  #cleaning: Promise<void> | undefined;
  #soon: NodeJS.Timeout | undefined;

  private constructor(target: Target, options: PoolOptions, { template, sha256, bytes }: Served) {
    this.#target = target;
    this.#options = options;
    this.#sessions = new PoolSessions(target, options.connect);
    this.#template = template;
    this.#sha256 = sha256;
    this.#capacity = new Capacity(options, bytes);
    this.#table = this.#tableOf(template);
  }

  /** Opens the pool of a test stack. @throws UserError for any other stack, and for a snapshot that is not whole. */
  static async open(target: Target, options: PoolOptions): Promise<TestPool> {
    const pool = new TestPool(target, options, await serve(target, options));
    await pool.#sessions.asSuperuser(
      `${makeLeaseTable(options.specification.administrator)}\n${MAKE_EXCHANGE}\n${MARK_FORMER}\nSELECT pg_advisory_unlock_all();`,
    );
    await pool.clean();
    return pool;
  }

  /**
   * Gives a database out.
   *
   * @param waitSeconds How long to wait for one where the pool is at its limit. Default: 30.
   * @throws UserError when none can be had.
   */
  async acquire({
    seconds,
    takenBy,
    waitSeconds = WAIT_SECONDS,
  }: {
    readonly seconds: number;
    readonly takenBy: string;
    readonly waitSeconds?: number;
  }): Promise<Lease> {
    return await this.#take(() => this.#table.claim(seconds, takenBy), waitSeconds);
  }

  /** Takes a database back; it is thrown away. @throws UserError for a lease that is none (any more). */
  async release(lease: string): Promise<void> {
    if (!(await this.#table.giveBack(lease))) throw unknownLease(lease);
    this.#keepReadySoon();
  }

  /**
   * Puts a fresh copy in the place of a leased database, under its name; its sessions are ended.
   *
   * @throws UserError for a lease that is none (any more), and when no copy can be had.
   */
  async reset(lease: string): Promise<Lease> {
    return await this.#take(async () => {
      const { key } = this.#template;
      const { held, done } = await exchange(this.#sessions.query, { lease, key, former: testName(key) });
      if (held === undefined) throw unknownLease(lease);
      return done ? held : undefined;
    }, WAIT_SECONDS);
  }

  async list(): Promise<PoolEntry[]> {
    return await this.#table.list();
  }

  /**
   * Throws away what was given back, what has expired, and what killed runs have left, and mends what they cut off. What
   * cannot be dropped now is told of and tried again the next time: who takes a database has no part in what holds another.
   */
  async clean(): Promise<void> {
    // Once for all that ask at the same time.
    this.#cleaning ??= this.#cleanNow().finally(() => {
      this.#cleaning = undefined;
    });
    await this.#cleaning;
  }

  /** Cleans and makes ready in the background. */
  keepReady(): void {
    this.#background ??= (async () => {
      try {
        await this.#followSnapshot();
        await this.clean();
        const wanted = this.#options.ready ?? READY;
        // Takers may be as quick as this is: a snapshot that was made anew does not wait until they rest.
        while ((await this.#table.countReady()) < wanted && (await this.#make(true)))
          await this.#followSnapshot();
      } catch (error) {
        this.#tell(error);
      } finally {
        this.#background = undefined;
      }
    })();
  }

  /** Waits until what is to be done in the background is done. */
  async settled(): Promise<void> {
    if (this.#soon !== undefined) {
      clearTimeout(this.#soon);
      this.#soon = undefined;
      this.keepReady();
    }
    await this.#background;
  }

  async close(): Promise<void> {
    await this.settled();
    await this.#sessions.close();
  }

  /** Takes what is ready, makes what is not, and waits where the pool is at its limit. */
  async #take<Taken>(ready: () => Promise<Taken | undefined>, waitSeconds: number): Promise<Taken> {
    const deadline = performance.now() + waitSeconds * 1_000;
    for (;;) {
      const taken = (await ready()) ?? ((await this.#make()) ? await ready() : undefined);
      if (taken !== undefined) {
        this.#keepReadySoon();
        return taken;
      }
      await this.#table.dismissOthers();
      await this.clean();
      if (performance.now() > deadline) {
        throw new UserError(
          `no database is free: ${this.#capacity} are the limit, and what is given out has reached it (pgstack test-db list)`,
        );
      }
      await delay(POLL_MILLISECONDS);
    }
  }

  /** A snapshot that was made anew takes the place of the one that is served; what is ready of that one is thrown away. */
  async #followSnapshot(): Promise<void> {
    const recorded = await listSnapshots(this.#options.project);
    const sha256 = recorded.find(({ name }) => name === this.#options.snapshot)?.sha256;
    if (sha256 === undefined || sha256 === this.#sha256) return;
    const served = await serve(this.#target, this.#options);
    const former = this.#table;
    this.#template = served.template;
    this.#sha256 = served.sha256;
    this.#capacity.copies(served.bytes);
    this.#table = this.#tableOf(served.template);
    await former.dismiss();
  }

  #tableOf({ key }: Template): LeaseTable {
    return new LeaseTable(this.#sessions.query, key);
  }

  /**
   * Makes one more database ready; false where the limit is reached.
   *
   * @param warm Whether a first session has it in the server's memory, for the taker's own.
   */
  async #make(warm = false): Promise<boolean> {
    return await this.#makers(() => this.#makeOne(warm));
  }

  async #makeOne(warm: boolean): Promise<boolean> {
    const { key } = this.#template;
    const database = testName(key);
    return await this.#sessions.use(async (client) => {
      const table = new LeaseTable(queryOf(client), key);
      if (!(await table.reserve(database, this.#capacity.most))) return false;
      try {
        const script = copyScript(this.#template, { to: database, mark: MARK, open: true });
        await this.#sessions.asSuperuser(
          warm ? `${script}${warmUp(database, this.#options.specification.administrator)}` : script,
        );
        await table.markReady(database);
        return true;
      } catch (error) {
        await client.query(`SELECT pg_advisory_unlock(${lockOf("$1")})`, [database]);
        throw error;
      }
    });
  }

  async #cleanNow(): Promise<void> {
    await this.#capacity.look(this.#table);
    for (const database of await this.#table.sweep(this.#capacity.most))
      await this.#drop(database).catch(this.#tell);
    for (const database of await this.#table.closed()) await this.#reopen(database).catch(this.#tell);
  }

  async #drop(database: string): Promise<void> {
    await this.#alone(database, async (client, table) => {
      const there = await client.query<{ ours: boolean }>(
        `SELECT ${isOurs(TEST_PREFIX, MARK)} AS ours FROM pg_database d WHERE datname = $1`,
        [database],
      );
      if (there.rows[0]?.ours === false) {
        await table.forget(database);
        throw new UserError(
          `database ${database} was not made for tests and stays: it does not bear their mark`,
        );
      }
      await emptied(client, database);
      await client.query(`DROP DATABASE IF EXISTS ${identifier(database)}`);
      await table.forget(database);
    });
  }

  /** Opens a database whose exchange was cut off; it has what it had. */
  async #reopen(database: string): Promise<void> {
    await this.#alone(database, async (client, table) => {
      if (!(await table.closed()).includes(database)) return;
      await table.takeBackCopyFor(database);
      await client.query(`ALTER DATABASE ${identifier(database)} ALLOW_CONNECTIONS true`);
    });
  }

  /** Does something to a database, unless somebody else is at it. */
  async #alone(database: string, work: (client: Client, table: LeaseTable) => Promise<void>): Promise<void> {
    await this.#sessions.use(async (client) => {
      const { rows } = await client.query<{ mine: boolean }>(
        `SELECT pg_try_advisory_lock(${lockOf("$1")}) AS mine`,
        [database],
      );
      if (rows[0]?.mine !== true) return;
      try {
        await work(client, new LeaseTable(queryOf(client), this.#template.key));
      } finally {
        await client.query(`SELECT pg_advisory_unlock(${lockOf("$1")})`, [database]);
      }
    });
  }

  readonly #tell = (error: unknown): void => {
    this.#options.onProblem?.(errorLine(error));
  };

  /** In a moment: whoever has just been given a database is about to connect, and that goes first. */
  #keepReadySoon(): void {
    this.#soon ??= setTimeout(() => {
      this.#soon = undefined;
      this.keepReady();
    }, SOON_MILLISECONDS);
  }
}

/** Earlier versions gave databases out without a mark. */
const MARK_FORMER = `SELECT format('COMMENT ON DATABASE %I IS %L', d.datname, ${literal(MARK)}) FROM pg_database d JOIN ${LEASES} ON database = d.datname
  WHERE state IN ('ready', 'leased') AND starts_with(d.datname, ${literal(TEST_PREFIX)}) AND shobj_description(d.oid, 'pg_database') IS NULL \\gexec`;

/** What is given out. */
interface Served {
  readonly template: Template;
  readonly sha256: string;
  readonly bytes: number;
}

/** Finds or makes the template of a pool. @throws UserError for any other stack, and for a snapshot that is not whole. */
async function serve(
  target: Target,
  { project, snapshot: name, specification }: PoolOptions,
): Promise<Served> {
  const snapshot = await requireSnapshot(project, name);
  await requireTestEnvironment(target);
  const file = snapshotFile(project, name);
  const template = await ensureTemplate(target, { snapshot, file, specification });
  return { template, sha256: snapshot.sha256, bytes: await templateBytes(target, template) };
}

function unknownLease(lease: string): UserError {
  return new UserError(`there is no lease ${lease}, or it has expired`);
}
