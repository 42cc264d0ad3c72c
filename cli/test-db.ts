import { randomBytes } from "node:crypto";
import { rm } from "node:fs/promises";
import { join } from "node:path";
import { Command } from "commander";
import type { RoleKind } from "../operations/health.ts";
import type { Lease } from "../operations/testing/lease-table.ts";
import type { TestPool } from "../operations/testing/pool.ts";
import { PROJECT_DIRECTORY, STATE_DIRECTORY } from "../toolchain/directories.mjs";
import { departureSignal, interruptionSignal } from "./interruption.ts";
import { jsonOption, roleOption, stackName, taught, wholeNumber } from "./options.ts";
import { note, printLine, table } from "./print.ts";

interface PoolChoice {
  readonly snapshot?: string;
  readonly ready: number;
  readonly maxDatabases: number;
  readonly maxMegabytes: number;
}

interface ServeOptions extends PoolChoice {
  readonly role: RoleKind;
  readonly port: number;
  readonly addressFile?: string;
}

type ConnectionOf = (database: string) => Readonly<Record<string, unknown>>;

/** `pgstack test-db acquire|release|list|serve`. */
export function testDbCommand(): Command {
  const command = new Command("test-db").description(
    "Databases for parallel tests: each is a fresh copy of a snapshot, given to one taker at a time and thrown away after it. For test stacks alone.",
  );
  command.addCommand(acquireCommand(command));
  command.addCommand(releaseCommand(command));
  command.addCommand(listCommand(command));
  command.addCommand(serveCommand(command));
  return command;
}

function pooled(command: Command): Command {
  return command
    .option(
      "--snapshot <name>",
      "copies of this one. Default: the one that the stack declares, else standard",
    )
    .option("--ready <count>", "databases that are kept ready", wholeNumber(0, 1000), 4)
    .option("--max-databases <count>", "most databases at once", wholeNumber(1, 10_000), 50)
    .option("--max-megabytes <size>", "most that all of them have", wholeNumber(1, 10_000_000), 8192);
}

function acquireCommand(parent: Command): Command {
  const command = pooled(new Command("acquire"))
    .description("Take a database.")
    .addOption(roleOption())
    .option("--seconds <time>", "after which it is taken back by itself", wholeNumber(1, 86_400), 600)
    .addOption(jsonOption())
    .action(async (options: PoolChoice & { role: RoleKind; seconds: number; json: boolean }) => {
      await withPool(stackName(parent), options, options.role, async (pool, connection) => {
        const lease = await pool.acquire({ seconds: options.seconds, takenBy: `process ${process.ppid}` });
        printLease({ ...lease, ...connection(lease.database) }, options.json);
      });
    });
  return taught(command, [
    ["pgstack --stack ci test-db acquire --json", "its name, its URL and the lease to give it back by"],
  ]);
}

function releaseCommand(parent: Command): Command {
  const command = pooled(new Command("release"))
    .description("Give a database back: it is thrown away.")
    .argument("<lease>", "what acquire printed")
    .action(async (lease: string, options: PoolChoice) => {
      await withPool(stackName(parent), options, "application", (pool) => pool.release(lease));
      printLine("released");
    });
  return taught(command, [["pgstack --stack ci test-db release LEASE", "a new one is made ready"]]);
}

function listCommand(parent: Command): Command {
  const command = new Command("list")
    .description("All databases of the pool, and who has them.")
    .addOption(jsonOption())
    .action(async ({ json }: { readonly json: boolean }) => {
      const choice = { ready: 0, maxDatabases: 10_000, maxMegabytes: 10_000_000 };
      await withPool(stackName(parent), choice, "application", async (pool) => {
        const entries = await pool.list();
        if (json) printLine(JSON.stringify(entries, undefined, 2));
        else if (entries.length === 0) printLine("The pool is empty.");
        else {
          const rows = entries.map((one) => [
            ...[one.database, one.state, one.expiresAt ?? "", one.takenBy ?? "", one.lease ?? ""],
          ]);
          printLine(table(rows).trimEnd());
        }
      });
    });
  return taught(command, [["pgstack --stack ci test-db list", "state, expiry, taker, lease"]]);
}

function serveCommand(parent: Command): Command {
  const command = pooled(new Command("serve"))
    .description(
      "Give databases out over HTTP on this machine until Ctrl-C, for test runners in any language. Address and token are written to .pgstack/stacks/STACK/test-db.json.",
    )
    .addOption(roleOption())
    .option("--port <port>", "0: any free one", wholeNumber(0, 65_535), 0)
    .option("--address-file <path>", "where address and token are written instead")
    .action(async (options: ServeOptions) => {
      await serve(stackName(parent), options);
    });
  return taught(command, [["pgstack --stack ci test-db serve", "POST /databases, DELETE /databases/LEASE"]]);
}

async function serve(stack: string, options: ServeOptions): Promise<void> {
  const { servePool } = await import("../operations/testing/pool-server.ts");
  const { writeWhole } = await import("../operations/write-whole.ts");
  const ended = AbortSignal.any([interruptionSignal(), departureSignal()]);
  await withPool(stack, options, options.role, async (pool, connection) => {
    const token = randomBytes(24).toString("base64url");
    pool.keepReady();
    const server = await servePool(pool, { port: options.port, token, connection });
    const file = options.addressFile ?? join(STATE_DIRECTORY, "stacks", stack, "test-db.json");
    const address = { url: `http://127.0.0.1:${server.port}`, token };
    await writeWhole(file, `${JSON.stringify(address)}\n`);
    note(`databases of stack ${stack} at ${address.url}; Ctrl-C ends it`);
    if (!ended.aborted)
      await new Promise((resolve) => ended.addEventListener("abort", resolve, { once: true }));
    await rm(file, { force: true });
    await server.close();
  });
}

/** Opens the pool of a test stack, and waits at the end for what it still makes ready. */
async function withPool(
  stack: string,
  choice: PoolChoice,
  role: RoleKind,
  work: (pool: TestPool, connection: ConnectionOf) => Promise<void>,
): Promise<void> {
  const { readStackWithCredentials, requireStackEngine } = await import("./stack.ts");
  const { connect, serverAddress } = await import("../operations/connection.ts");
  const { connectionInfo } = await import("../operations/connection-info.ts");
  const { requireTesting } = await import("./testing.ts");
  const { TestPool } = await import("../operations/testing/pool.ts");
  const { authorityFile } = await import("./authority-file.ts");
  const found = await readStackWithCredentials(stack);
  await requireStackEngine(found);
  const { target, credentials, trust } = found;
  const testing = requireTesting(found);
  const address = await serverAddress(target);
  const file = await authorityFile(stack, trust);
  const connection: ConnectionOf = (database) => {
    const info = connectionInfo(
      { ...target, database },
      {
        ...{ role, credential: credentials[role], trust, address, showSecrets: true },
        ...(file === undefined ? {} : { authorityFile: file }),
      },
    );
    const { stack: _stack, role: _role, reachableFrom: _from, ...values } = info;
    return values;
  };
  const pool = await TestPool.open(target, {
    ...{ project: PROJECT_DIRECTORY, snapshot: choice.snapshot ?? testing.snapshot ?? "standard" },
    specification: testing.specification,
    connect: () => connect(target, credentials.administrator, trust, { database: "postgres" }),
    ready: choice.ready,
    ...{ maxDatabases: choice.maxDatabases, maxBytes: choice.maxMegabytes * 1024 ** 2 },
    onProblem: (message) => note(`pgstack: ${message}`),
  });
  try {
    await work(pool, connection);
  } finally {
    await pool.close();
  }
}

function printLease(lease: Lease & Readonly<Record<string, unknown>>, json: boolean): void {
  if (json) printLine(JSON.stringify(lease, undefined, 2));
  else {
    const { lease: id, database, expiresAt, url } = lease;
    printLine(
      table([
        ["lease", id],
        ["database", database],
        ["expires", expiresAt],
        ["url", String(url)],
      ]).trimEnd(),
    );
  }
}
