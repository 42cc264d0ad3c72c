import type { Client } from "pg";
import { afterAll, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { rollBackMembership, type TenantTuples, tellOpenFga } from "../../operations/memberships.ts";
import { DatabaseServer } from "../support/database-server.ts";

const TENANT = "00000000-0000-4000-8000-000000000001";
const [ANNA, BERT] = ["00000000-0000-4000-8000-00000000000a", "00000000-0000-4000-8000-00000000000b"];

let server: DatabaseServer;

beforeAll(async () => {
  server = await DatabaseServer.start();
  await server.as("administrator", (client) =>
    client.query(`CREATE TABLE public.tenants (id uuid PRIMARY KEY, slug text NOT NULL);
      CREATE TABLE public.users (id uuid PRIMARY KEY, subject text NOT NULL);
      CREATE TABLE public.memberships (tenant_id uuid REFERENCES public.tenants, user_id uuid REFERENCES public.users, role text NOT NULL,
        PRIMARY KEY (tenant_id, user_id));
      INSERT INTO public.tenants VALUES ('${TENANT}', 'shop');
      INSERT INTO public.users VALUES ('${ANNA}', 'anna'), ('${BERT}', 'bert');`),
  );
});
afterAll(() => server?.remove());

beforeEach(() =>
  server.as("administrator", (client) =>
    client.query(`DROP SCHEMA IF EXISTS pgstack_memberships CASCADE; DELETE FROM public.memberships;
      INSERT INTO public.memberships VALUES ('${TENANT}', '${ANNA}', 'owner'), ('${TENANT}', '${BERT}', 'owner')`),
  ),
);

const session = (name: string) => server.session("administrator", name);

/** Until a session waits for another one's lock, or its work has ended without. */
async function untilBlocked(name: string, work: Promise<unknown>): Promise<boolean> {
  let over = false;
  void work.then(
    () => {
      over = true;
    },
    () => {
      over = true;
    },
  );
  const waiting = `SELECT EXISTS (SELECT FROM pg_stat_activity WHERE application_name = '${name}' AND wait_event_type = 'Lock')`;
  await expect
    .poll(async () => over || (await server.value(waiting)) === "true", { timeout: 20_000 })
    .toBe(true);
  return !over;
}

/** The client, which waits before a statement until it may go on. */
function pausedBefore(client: Client, statement: string) {
  let [arrive, goOn] = [() => {}, () => {}];
  const arrived = new Promise<void>((resolve) => {
    arrive = resolve;
  });
  const allowed = new Promise<void>((resolve) => {
    goOn = resolve;
  });
  const query = client.query.bind(client) as (...words: unknown[]) => Promise<unknown>;
  const paused = new Proxy(client, {
    get: (target, name) =>
      name !== "query"
        ? Reflect.get(target, name)
        : async (...words: unknown[]) => {
            if (words[0] === statement) {
              arrive();
              await allowed;
            }
            return await query(...words);
          },
  });
  return { client: paused, arrived, goOn };
}

function rollBack(client: Client, userRef: string, targetRole: "none" | "member", sync = false) {
  return rollBackMembership(client, {
    ...{ tenantRef: "shop", userRef, targetRole, sync, force: false, dryRun: false },
  });
}

describe("two changes of one tenant at once [M4]", () => {
  test("do not take away an owner each: the second one waits, and sees what the first one has done", async () => {
    const first = pausedBefore(await session("first"), "COMMIT");
    const taking = rollBack(first.client, "anna", "none");
    await first.arrived;
    const second = rollBack(await session("second"), "bert", "member");
    const blocked = await untilBlocked("second", second);
    first.goOn();
    await taking;
    await expect(second).rejects.toThrow("bert is the last owner of tenant shop");
    expect(blocked).toBe(true);
    expect(await server.value("SELECT string_agg(role, ',') FROM public.memberships")).toBe("owner");
  });
});

describe("a change while OpenFGA is told of the same membership [M4]", () => {
  test("waits until that is done, and stays noted for the next time", async () => {
    await rollBack(await session("before"), "anna", "member", true);
    const changing = await session("changing");
    let change: Promise<unknown> = Promise.resolve();
    let blocked = false;
    const told: string[] = [];
    const tuples = {
      bring: async (_membership: unknown, role: string) => {
        told.push(role);
        if (told.length === 1) {
          change = rollBack(changing, "anna", "none", true);
          blocked = await untilBlocked("changing", change);
        }
        return { writes: [], deletes: [] };
      },
    } as unknown as TenantTuples;
    const teller = await session("teller");
    await tellOpenFga(teller, tuples);
    await change;
    expect(blocked).toBe(true);
    expect(await server.value("SELECT count(*) FROM pgstack_memberships.outbox")).toBe("1");
    await tellOpenFga(teller, tuples);
    expect(told).toEqual(["member", "none"]);
    expect(await server.value("SELECT count(*) FROM pgstack_memberships.outbox")).toBe("0");
  });
});
