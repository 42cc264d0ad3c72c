import type { ChildProcess } from "node:child_process";
import { once } from "node:events";
import { existsSync } from "node:fs";
import { rm } from "node:fs/promises";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import type { DatabaseSpecification } from "../../operations/database.ts";
import type { PoolEntry } from "../../operations/testing/lease-table.ts";
import { TestPool } from "../../operations/testing/pool.ts";
import type { LiveStack } from "./security/live-stack.ts";

const LONGEST_START_MILLISECONDS = 30_000;

/** `pgstack test-db serve` of a stack, where the vitest fixture finds it. */
export class PoolService {
  readonly #stack: LiveStack;
  readonly #name: string;
  #service: ChildProcess | undefined;
  #specification: DatabaseSpecification | undefined;

  /** @param name Of the file with its address; `start` makes that the one that the vitest fixture finds. */
  constructor(stack: LiveStack, name = "test-db.json") {
    this.#stack = stack;
    this.#name = name;
  }

  /** Path of the file with its address and token. */
  get addressFile(): string {
    return join(this.#stack.project.directory, this.#name);
  }

  async start(...more: string[]): Promise<void> {
    const file = this.addressFile;
    await rm(file, { force: true });
    process.env.PGSTACK_TEST_DB = file;
    void this.#stack.project.pgstack(["test-db", "serve", "--address-file", file, ...more], {
      onStart: (child) => {
        this.#service = child;
      },
    });
    const deadline = performance.now() + LONGEST_START_MILLISECONDS;
    while (!existsSync(file)) {
      if (performance.now() > deadline) throw new Error("the service has not written its address");
      await delay(20);
    }
  }

  /** @returns Its exit code; null where there is none, or a signal has ended it. */
  async end(signal: NodeJS.Signals = "SIGTERM"): Promise<number | null> {
    const service = this.#service;
    if (service === undefined || service.exitCode !== null || service.signalCode !== null) return null;
    const ended = once(service, "close");
    service.kill(signal);
    await ended;
    return service.exitCode;
  }

  /** What the pool has, as the command line finds it: what is to go is thrown away before. */
  async entries(): Promise<PoolEntry[]> {
    const { project, target } = this.#stack;
    const pool = await TestPool.open(target, {
      ...{ project: project.directory, snapshot: "standard", specification: await this.#declared() },
      connect: () => this.#stack.session("administrator", { database: "postgres" }),
      ...{ ready: 0, maxDatabases: 10_000, maxBytes: 1024 ** 4 },
    });
    try {
      return await pool.list();
    } finally {
      await pool.close();
    }
  }

  /** The same by the command line itself. */
  async listed(): Promise<PoolEntry[]> {
    const listed = await this.#stack.project.pgstack(["test-db", "list", "--json"]);
    if (listed.code !== 0) throw new Error(listed.output);
    return JSON.parse(listed.stdout);
  }

  /** Databases of the pool that the cluster has. */
  async databases(): Promise<number> {
    return Number(
      await this.#stack.value("(SELECT count(*) FROM pg_database WHERE datname LIKE 'pgstack\\_test\\_%')"),
    );
  }

  /** What the stack declares for its database. */
  async #declared(): Promise<DatabaseSpecification> {
    const { project } = this.#stack;
    this.#specification ??= (
      await project.outputs<{ testing: { specification: DatabaseSpecification } }>()
    ).testing.specification;
    return this.#specification;
  }
}
