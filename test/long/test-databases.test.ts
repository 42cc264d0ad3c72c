import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { SuperuserSession } from "../../operations/superuser/session.ts";
import { acquireDatabase } from "../../testing/vitest/index.ts";
import { PoolService } from "../support/pool-service.ts";
import { LiveStack } from "../support/security/live-stack.ts";

const RESETS = 10_000;
const WORKERS = 8;
const TESTS = 500;
/** Every so manieth reset is looked at, the others only counted. */
const LOOKED_AT = 20;

let stack: LiveStack;
let service: PoolService;

beforeAll(async () => {
  stack = await LiveStack.bringUp({ memoryLimit: "2GB", dataInMemory: "1GB", testSnapshot: "standard" });
  service = new PoolService(stack);
  await service.start("--ready", "4");
});

afterAll(async () => {
  await service?.end();
  await stack?.project.remove();
});

/** Rows that a test has left in a database; then leaves one itself, unless it only looks. */
async function leftBehind(database: string, { looksOnly = false } = {}): Promise<number> {
  const client = await stack.session("administrator", { database });
  try {
    const { rows } = await client.query<{ n: number }>(
      "SELECT count(*)::int AS n FROM public.tenants WHERE slug LIKE 'mine-%'",
    );
    if (looksOnly) return rows[0]?.n ?? -1;
    await client.query(
      "INSERT INTO public.tenants (slug, name) VALUES ('mine-' || $1::text, 'of one test')",
      [database.replaceAll("_", "-")],
    );
    return rows[0]?.n ?? -1;
  } finally {
    await client.end();
  }
}

/** Everything that was given out is gone, and the cluster has what the pool knows of. */
async function expectNothingLeaked(): Promise<void> {
  await expect
    .poll(async () => (await service.entries()).filter(({ state }) => state !== "ready"), {
      timeout: 60_000,
    })
    .toEqual([]);
  expect(await service.databases()).toBe((await service.entries()).length);
}

describe("F59 the pool in the long run", () => {
  test(`F59 ${RESETS} resets in a row: none fails, none leaks a database`, async () => {
    const database = await acquireDatabase(3_600);
    for (let reset = 0; reset < RESETS; reset += 1) {
      if (reset % LOOKED_AT === 0) expect(await leftBehind(database.database), `reset ${reset}`).toBe(0);
      await database.reset();
    }
    await database.release();
    await expectNothingLeaked();
  }, 1_800_000);

  test(`T3 ${WORKERS} workers with ${TESTS} tests each never see each other's data`, async () => {
    const seen = await Promise.all(
      Array.from({ length: WORKERS }, async () => {
        let others = 0;
        for (let round = 0; round < TESTS; round += 1) {
          const database = await acquireDatabase(60);
          others += await leftBehind(database.database);
          await database.release();
        }
        return others;
      }),
    );
    expect(seen).toEqual(Array.from({ length: WORKERS }, () => 0));
    await expectNothingLeaked();
  }, 1_800_000);

  test("F59 a session that a reset cannot end: it says so, and the database is open with what it holds", async () => {
    const database = await acquireDatabase(600);
    expect(await leftBehind(database.database)).toBe(0);
    // The administrator ends no superuser's session.
    const superuser = await SuperuserSession.open(stack.target);
    try {
      await superuser.run(`\\connect ${database.database}`);
      await expect(database.reset()).rejects.toThrow(
        `a session in database ${database.database} does not end`,
      );
    } finally {
      superuser.close();
    }
    expect(await leftBehind(database.database, { looksOnly: true })).toBe(1);
    await database.reset();
    expect(await leftBehind(database.database)).toBe(0);
    await database.release();
    await expectNothingLeaked();
  });
});
