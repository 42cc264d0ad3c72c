import { afterAll, afterEach, beforeAll, describe, expect, test } from "vitest";
import { createMarked } from "../../agent/database-mark.ts";
import type { BroughtBack } from "../../agent/logical/bring-back.ts";
import { dockerEngine } from "../../operations/docker.ts";
import { removeLeftOver, restorerContainer } from "../../operations/restore/restorer.ts";
import { identifier } from "../../operations/sql.ts";
import { LABEL_STACK } from "../../operations/target.ts";
import { AgentInServer } from "../support/agent-in-server.ts";
import { TEST_IMAGE } from "../support/image.ts";

let agent: AgentInServer;

beforeAll(async () => {
  agent = await AgentInServer.start();
});

afterEach(async () => {
  const names = Object.keys(await databases());
  await agent.run(names.map((name) => `DROP DATABASE ${identifier(name)} WITH (FORCE);`).join("\n"));
});

afterAll(() => agent?.remove());

const NAMES = {
  "63 letters": "a".repeat(63),
  "62 letters": "b".repeat(62),
  "56 letters": "c".repeat(56),
  "55 letters": "d".repeat(55),
  "54 letters": "e".repeat(54),
  "44 letters": "f".repeat(44),
  "two bytes a letter": "é".repeat(31),
  "four bytes a letter, and quotes": `${"🐘".repeat(15)}"'`,
};

describe("a dump of the whole database", () => {
  test.each(Object.entries(NAMES))("is restored twice in a row into a name of %s", async (_, name) => {
    await make(name);
    const { id } = await agent.dump();
    await agent.run("INSERT INTO public.t VALUES (4)", name);
    const { kept: former = "" } = await agent.call<BroughtBack>("restore-dump", { id });
    expect(await rows(name)).toBe(3);
    await agent.run("INSERT INTO public.t VALUES (4), (5)", name);
    const { kept: latter = "" } = await agent.call<BroughtBack>("restore-dump", { id });
    expect(await rows(name)).toBe(3);
    expect(await databases()).toEqual({ [name]: true, [former]: false, [latter]: false });
    for (const kept of [former, latter]) {
      await agent.run(`ALTER DATABASE ${identifier(kept)} ALLOW_CONNECTIONS true`);
    }
    expect([await rows(former), await rows(latter)]).toEqual([4, 5]);
  });

  test("is refused while a user has a database of the name to restore into, which is not touched", async () => {
    for (const name of ["shop", NAMES["63 letters"]]) {
      await make(name);
      const { id } = await agent.dump();
      const taken = await besideOf(id);
      await make(taken, 7);
      await agent.use(name);
      await expect(agent.call("restore-dump", { id })).rejects.toThrow(
        new RegExp(`^nothing was changed: there is a database ${taken}, which this stack did not make`),
      );
      expect([await rows(name), await rows(taken)]).toEqual([3, 7]);
    }
  });

  test("is refused while the database has prepared transactions", async () => {
    await make("shop");
    const { id } = await agent.dump();
    await agent.run("BEGIN; INSERT INTO public.t VALUES (4); PREPARE TRANSACTION 'open';", "shop");
    await expect(agent.call("restore-dump", { id })).rejects.toThrow(/^database shop has 1 prepared/);
    expect(await databases()).toEqual({ shop: true });
    await agent.run("ROLLBACK PREPARED 'open';", "shop");
  });

  test("is put in use while sessions come in all the time", async () => {
    await make("shop");
    const { id } = await agent.dump();
    const over = new AbortController();
    const busy = Promise.all(
      [1, 2].map(async () => {
        while (!over.signal.aborted) await agent.query("SELECT 1", "shop").catch(() => {});
      }),
    );
    const { kept } = await agent.call<BroughtBack>("restore-dump", { id });
    over.abort();
    await busy;
    expect(kept).toMatch(/^shop_before_/);
    expect(await rows("shop")).toBe(3);
  });
});

describe("a restore of a dump that is killed", () => {
  test("before the exchange leaves the database in use, and the next restore works", async () => {
    await make("shop");
    const { id } = await agent.dump();
    await agent.run("INSERT INTO public.t VALUES (4)", "shop");
    // Holds a lock on the database itself, as the exchange wants it.
    const holder = agent.run(
      "SET application_name = 'holder'; BEGIN; COMMENT ON DATABASE shop IS 'x'; SELECT pg_sleep(300);",
    );
    const ended = Promise.allSettled([holder, agent.call("restore-dump", { id })]);
    await untilSome("SELECT 1 FROM pg_locks WHERE NOT granted AND classid = 'pg_database'::regclass");
    await agent.killAgent();
    await agent.run(
      "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'holder';",
    );
    expect(await ended).toEqual([
      expect.objectContaining({ status: "rejected" }),
      expect.objectContaining({
        reason: expect.objectContaining({ message: expect.stringMatching(/ended without/) }),
      }),
    ]);
    expect(await rows("shop")).toBe(4);
    expect(await databases()).toEqual({ shop: true, shop_restore: true });
    const { kept = "" } = await agent.call<BroughtBack>("restore-dump", { id });
    expect(await rows("shop")).toBe(3);
    expect(await databases()).toEqual({ shop: true, [kept]: false });
  });

  test("between creating the database and marking it is found by the next restore", async () => {
    await make("shop");
    const { id } = await agent.dump();
    const [created = ""] = createMarked("shop_restore", "whatever").split("\n");
    await agent.run(created);
    const { kept = "" } = await agent.call<BroughtBack>("restore-dump", { id });
    expect(await databases()).toEqual({ shop: true, [kept]: false });
  });
});

test("a restore does not remove the container of a stack that is named like it", async () => {
  const docker = dockerEngine();
  const name = restorerContainer(agent.target.container);
  const owner = `${agent.target.stack}-restore`;
  const container = await docker.createContainer({
    ...{ name, Image: TEST_IMAGE, Labels: { [LABEL_STACK]: owner } },
  });
  try {
    await expect(removeLeftOver(docker, name, agent.target)).rejects.toThrow(
      `container ${name}, whose name a restore of stack ${agent.target.stack} needs, belongs to stack ${owner}`,
    );
    await container.inspect();
  } finally {
    await container.remove({ v: true });
  }
});

/** Makes a database with a table of so many rows; the agent works on it from now on. */
async function make(name: string, count = 3): Promise<void> {
  await agent.run(`CREATE DATABASE ${identifier(name)} TEMPLATE template0;`);
  await agent.run(`CREATE TABLE public.t AS SELECT n FROM generate_series(1, ${count}) n;`, name);
  await agent.use(name);
}

async function rows(database: string): Promise<number> {
  return (await agent.query<{ n: number }>("SELECT count(*)::int AS n FROM public.t", database))[0]?.n ?? -1;
}

/** Databases beside those of every server, with whether they take connections. */
async function databases(): Promise<Record<string, boolean>> {
  const found = await agent.query<{ name: string; open: boolean }>(
    "SELECT datname AS name, datallowconn AS open FROM pg_database WHERE NOT datistemplate AND datname <> 'postgres'",
  );
  return Object.fromEntries(found.map(({ name, open }) => [name, open]));
}

/** The database that a dump is restored into, seen while that goes on. */
async function besideOf(id: string): Promise<string> {
  const others = Object.keys(await databases());
  let seen: Promise<Record<string, boolean>> | undefined;
  const onStep = (text: string) => {
    if (text.startsWith("checking")) seen = databases();
  };
  const { kept = "" } = await agent.call<BroughtBack>("restore-dump", { id }, { onStep });
  await agent.run(`DROP DATABASE ${identifier(kept)};`);
  return Object.keys((await seen) ?? {}).find((one) => !others.includes(one)) ?? "";
}

async function untilSome(sql: string): Promise<void> {
  await expect.poll(async () => (await agent.query(sql)).length, { timeout: 60_000 }).toBeGreaterThan(0);
}
