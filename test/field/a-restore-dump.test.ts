import { posix } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { RestorePlan } from "../../agent/logical/restore-plan.ts";
import { AGENT_MAIN } from "../../operations/agent-files.ts";
import { AgentInServer } from "../support/agent-in-server.ts";
import { catalogue } from "../support/catalogue.ts";

/** Where the agent's program has it. */
const UPGRADE = `${posix.dirname(AGENT_MAIN)}/upgrade`;

let server: AgentInServer;
let dump: string;

const ROLES = `
  CREATE ROLE app_admin LOGIN; CREATE ROLE app_rw LOGIN; CREATE ROLE app_ro LOGIN;
  CREATE ROLE "Odd ""Role" LOGIN;`;

const DATABASE = `
  CREATE DATABASE app TEMPLATE template0 ENCODING 'UTF8' LOCALE_PROVIDER icu ICU_LOCALE 'de-DE' LC_COLLATE 'C' LC_CTYPE 'C';
  ALTER DATABASE app OWNER TO app_admin;
  ALTER DATABASE app CONNECTION LIMIT 17;
  COMMENT ON DATABASE app IS 'it''s the \\ application''s';
  REVOKE ALL ON DATABASE app FROM PUBLIC;
  GRANT CONNECT ON DATABASE app TO app_rw WITH GRANT OPTION;
  SET ROLE app_rw; GRANT CONNECT ON DATABASE app TO app_ro; RESET ROLE;
  GRANT CREATE, TEMPORARY ON DATABASE app TO "Odd ""Role";
  ALTER DATABASE app SET search_path = "$user", public, "Mixed, ""Case";
  ALTER DATABASE app SET work_mem = '7MB';
  ALTER DATABASE app SET app.tenant = 'a\\b''c, "d"';
  ALTER DATABASE app SET temp_tablespaces = '';
  ALTER ROLE app_rw IN DATABASE app SET statement_timeout = '5min';
  ALTER ROLE "Odd ""Role" IN DATABASE app SET search_path = sales;`;

const OBJECTS = `
  SET search_path = public;
  CREATE SCHEMA sales AUTHORIZATION app_admin;
  CREATE SCHEMA "Mixed Case" AUTHORIZATION app_admin;
  SET ROLE app_admin;
  CREATE FUNCTION sales.touched() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RETURN NEW; END $$;
  CREATE FUNCTION sales.positive(int) RETURNS bool LANGUAGE sql IMMUTABLE RETURN $1 > 0;
  CREATE TABLE sales.items (id int PRIMARY KEY, name text);
  CREATE TABLE sales.orders (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, number serial, item int REFERENCES sales.items,
    customer varchar(40) NOT NULL COLLATE "C", state varchar(10) CHECK (state IN ('open', 'paid')), amount int CHECK (sales.positive(amount)),
    doubled int GENERATED ALWAYS AS (amount * 2) STORED, at timestamptz DEFAULT now()) WITH (fillfactor = 71, autovacuum_vacuum_threshold = 99);
  CREATE UNIQUE INDEX orders_customer ON sales.orders (customer, id);
  CREATE INDEX orders_lower ON sales.orders (lower(customer)) WHERE amount > 3;
  ALTER INDEX sales.orders_lower ALTER COLUMN 1 SET STATISTICS 300;
  ALTER TABLE sales.orders ALTER COLUMN customer SET STATISTICS 777, ALTER COLUMN customer SET STORAGE EXTERNAL, ALTER COLUMN amount SET (n_distinct = -0.5);
  ALTER TABLE sales.orders REPLICA IDENTITY USING INDEX orders_customer;
  ALTER TABLE sales.orders CLUSTER ON orders_customer;
  CREATE STATISTICS sales.orders_amounts (ndistinct, dependencies) ON customer, amount FROM sales.orders;
  ALTER STATISTICS sales.orders_amounts SET STATISTICS 55;
  COMMENT ON STATISTICS sales.orders_amounts IS 'why';
  CREATE TRIGGER touch BEFORE UPDATE ON sales.orders FOR EACH ROW WHEN (NEW.amount > 1) EXECUTE FUNCTION sales.touched();
  CREATE TRIGGER sleeping BEFORE INSERT ON sales.orders FOR EACH ROW EXECUTE FUNCTION sales.touched();
  ALTER TABLE sales.orders DISABLE TRIGGER sleeping;
  CREATE RULE quiet AS ON DELETE TO sales.orders WHERE OLD.id < 0 DO INSTEAD NOTHING;
  ALTER TABLE sales.orders ENABLE ROW LEVEL SECURITY;
  ALTER TABLE sales.orders FORCE ROW LEVEL SECURITY;
  CREATE POLICY mine ON sales.orders AS RESTRICTIVE FOR SELECT TO app_ro, "Odd ""Role" USING (customer = current_user);
  CREATE POLICY all_of_it ON sales.orders TO app_rw USING (true) WITH CHECK (amount < 1000);
  GRANT SELECT, INSERT ON sales.orders TO app_rw WITH GRANT OPTION;
  GRANT SELECT (customer), UPDATE (amount) ON sales.orders TO app_ro;
  GRANT USAGE ON SEQUENCE sales.orders_number_seq TO app_rw;
  COMMENT ON TABLE sales.orders IS 'the orders';
  COMMENT ON COLUMN sales.orders.amount IS 'in cents';
  COMMENT ON TRIGGER touch ON sales.orders IS 'touches';
  COMMENT ON POLICY mine ON sales.orders IS 'mine alone';
  INSERT INTO sales.items VALUES (1, 'one'), (2, 'two');
  CREATE TABLE "Mixed Case"."a.b ""c" (id int PRIMARY KEY, "Über maß" text);
  CREATE TABLE "Mixed Case".t (id int PRIMARY KEY);
  INSERT INTO "Mixed Case"."a.b ""c" VALUES (1, 'x'), (2, 'y');
  INSERT INTO "Mixed Case".t VALUES (1);
  CREATE TABLE sales.event (id int, at date NOT NULL, note text, PRIMARY KEY (id, at)) PARTITION BY RANGE (at);
  CREATE TABLE sales.event_2025 PARTITION OF sales.event FOR VALUES FROM ('2025-01-01') TO ('2026-01-01');
  CREATE TABLE sales.event_2026 PARTITION OF sales.event FOR VALUES FROM ('2026-01-01') TO ('2027-01-01');
  CREATE INDEX event_note ON sales.event (note);
  CREATE TRIGGER touch BEFORE UPDATE ON sales.event FOR EACH ROW EXECUTE FUNCTION sales.touched();
  INSERT INTO sales.event SELECT n, date '2025-06-01' + n, 'note ' || n FROM generate_series(1, 400) n;
  CREATE TABLE sales.viewed (id int PRIMARY KEY, n int);
  INSERT INTO sales.viewed VALUES (1, 10), (2, 20);
  CREATE VIEW sales.viewed_all WITH (security_barrier) AS SELECT id, n FROM sales.viewed;
  CREATE MATERIALIZED VIEW sales.viewed_sum AS SELECT sum(n) AS n FROM sales.viewed_all;
  CREATE TABLE sales.referring (viewed int REFERENCES sales.viewed);
  CREATE FUNCTION sales.of_row(sales.viewed) RETURNS int LANGUAGE sql AS 'SELECT 1';
  RESET ROLE;
  INSERT INTO sales.orders (item, customer, state, amount) SELECT 1 + n % 2, 'customer ' || n, 'open', n FROM generate_series(1, 100) n;
  CREATE SCHEMA others;
  CREATE TABLE others.countries (id int PRIMARY KEY);
  GRANT USAGE ON SCHEMA others TO app_admin;
  GRANT REFERENCES ON others.countries TO app_admin;
  SET ROLE app_admin;
  CREATE TABLE "Mixed Case".located (country int REFERENCES others.countries);
  RESET ROLE;
  CREATE PUBLICATION chosen FOR TABLE sales.orders (id, customer, amount) WHERE (amount > 5), "Mixed Case".t;
  CREATE PUBLICATION schema_wide FOR TABLES IN SCHEMA sales WITH (publish = 'insert');
  CREATE PUBLICATION everything FOR ALL TABLES;
  CREATE PUBLICATION partitions FOR TABLE sales.event_2025;`;

beforeAll(async () => {
  server = await AgentInServer.start();
  await server.use("app");
  await server.run(`${ROLES}\n${DATABASE}`);
  await server.run(OBJECTS, "app");
  dump = (await server.dump()).id;
});
afterAll(() => server?.remove());

async function restored(change: string, selection: Readonly<Record<string, unknown>>): Promise<void> {
  const before = await catalogue(server);
  await server.run(change, "app");
  await server.call("restore-dump", { id: dump, ...selection });
  expect(await catalogue(server)).toEqual(before);
}

async function refusal(
  selection: Readonly<Record<string, unknown>>,
  operation = "restore-dump-plan",
): Promise<string> {
  return await server.call(operation, { id: dump, ...selection }).then(
    () => "nothing was refused",
    (error: Error) => error.message,
  );
}

async function count(table: string): Promise<number> {
  return (await server.query<{ n: number }>(`SELECT count(*)::int AS n FROM ${table}`, "app"))[0]?.n ?? -1;
}

describe("one table comes back with everything that hung on it", () => {
  test("publications with columns and filter, replica identity, policies, triggers, statistics, grants, comments; names by PostgreSQL's rules", async () => {
    const odd = '"Mixed Case"."a.b ""c"';
    await restored(`TRUNCATE sales.orders, ${odd}, "Mixed Case".t`, {
      tables: ["SALES.Orders", odd, '"Mixed Case".T'],
    });
    expect([await count("sales.orders"), await count(odd), await count('"Mixed Case".t')]).toEqual([
      100, 2, 1,
    ]);
  });

  test("a table that was dropped, its publications and statistics; a partitioned one, with its partitions", async () => {
    await restored(
      "DROP TABLE sales.orders; DELETE FROM sales.event WHERE id % 2 = 0; DROP TABLE sales.event_2025",
      { tables: ["sales.orders", "sales.event"] },
    );
    expect([await count("sales.orders"), await count("sales.event")]).toEqual([100, 400]);
  });

  test("one partition alone stays attached", async () => {
    await restored("DELETE FROM sales.event", { tables: ["sales.event_2026"] });
    expect(await count("sales.event")).toBe(await count("sales.event_2026"));
    expect(await count("sales.event")).toBeGreaterThan(0);
  });

  test("several at once, with the views on them", async () => {
    const tables = ["sales.viewed", "sales.viewed_all", "sales.viewed_sum", "sales.referring"];
    await server.run("DROP FUNCTION sales.of_row(sales.viewed)", "app");
    await restored("UPDATE sales.viewed SET n = 0", { tables });
    await server.run(
      "SET ROLE app_admin; CREATE FUNCTION sales.of_row(sales.viewed) RETURNS int LANGUAGE sql AS 'SELECT 1'",
      "app",
    );
  });

  test("a whole schema, with its functions", async () => {
    await restored("TRUNCATE sales.orders, sales.event; UPDATE sales.viewed SET n = 0", {
      schemas: ["sales"],
    });
    expect(await count("sales.orders")).toBe(100);
  });
});

describe("what cannot be kept is told before anything begins", () => {
  test.each([
    [{ tables: ["sales.nothing"] }, /^the backup has no sales\.nothing: nothing was changed$/],
    [{ tables: ['"Mixed Case"."A.b"'] }, /^the backup has no "Mixed Case"\."A\.b": nothing was changed$/],
    [{ tables: ["orders"] }, /^"orders" is no table: schema\.table is right/],
    [{ tables: ["sales.my-orders"] }, /^"sales\.my-orders" is no table: .*double quotes/],
    [{ schemas: ["nowhere"] }, /^the backup has no schema nowhere: nothing was changed$/],
  ])("%j is refused by the plan", async (selection, words) => {
    expect(await refusal(selection)).toMatch(words);
  });

  test("views, materialized views, foreign keys and functions that rest on a table are named, with the way round", async () => {
    const message = await refusal({ tables: ["sales.viewed"] });
    expect(message).toContain("view sales.viewed_all");
    expect(message).toContain("materialized view sales.viewed_sum");
    expect(message).toContain("referring_viewed_fkey on sales.referring");
    expect(message).toContain("function sales.of_row(sales.viewed)");
    expect(message).toContain("--table sales.viewed_all");
    expect(message).toContain("--schema sales");
  });

  test("what was added since the backup is refused, unless it is given up", async () => {
    await server.run(
      `CREATE POLICY later ON sales.orders FOR DELETE TO app_rw USING (false);
       ALTER TABLE sales.orders REPLICA IDENTITY FULL; ALTER TABLE sales.orders ADD later int;
       CREATE TABLE sales.event_2027 PARTITION OF sales.event FOR VALUES FROM ('2027-01-01') TO ('2028-01-01');`,
      "app",
    );
    const tables = ["sales.orders", "sales.event"];
    const { losses } = await server.call<RestorePlan>("restore-dump-plan", { id: dump, tables });
    expect(losses).toContain("policy later on sales.orders");
    expect(losses).toContain("replica identity of table sales.orders");
    expect(losses).toContain("column later of table sales.orders");
    expect(losses).toContain("table sales.event_2027");
    const before = await catalogue(server);
    expect(await refusal({ tables }, "restore-dump")).toMatch(
      /^nothing was changed: .*policy later on sales\.orders.*--accept-losses/,
    );
    expect(await catalogue(server)).toEqual(before);
    await server.call("restore-dump", { id: dump, tables, acceptLosses: true });
    expect((await catalogue(server)).filter((row) => /later|event_2027/.test(row))).toEqual([]);
  });
});

describe("the whole database comes back with what pg_dump leaves out", () => {
  test("settings, settings of roles, owner, grants, limit, comment, locale: as in the backup", async () => {
    const before = await catalogue(server);
    await server.run(
      `ALTER DATABASE app SET work_mem = '1MB'; ALTER DATABASE app RESET search_path; ALTER DATABASE app CONNECTION LIMIT -1;
       ALTER ROLE app_rw IN DATABASE app RESET ALL; COMMENT ON DATABASE app IS NULL; GRANT CONNECT ON DATABASE app TO PUBLIC;`,
    );
    const plan = await server.call<RestorePlan>("restore-dump-plan", { id: dump });
    expect(plan.losses).toEqual([]);
    expect(plan.notes.join("\n")).toMatch(
      /comment, connectionLimit, grants, .*setting statement_timeout of role app_rw, setting work_mem/,
    );
    const { kept } = await server.call<{ kept: string }>("restore-dump", { id: dump });
    expect(await catalogue(server)).toEqual(before);
    await server.run(`DROP DATABASE "${kept}" WITH (FORCE)`);
  });

  test("a backup from before they were stored keeps the present ones, and says so", async () => {
    const forget = `const fs = require("node:fs"); const folder = "/tmp/agent/backups/logical/${dump}/";
      const manifest = JSON.parse(fs.readFileSync(folder + "backup.json", "utf8"));
      manifest.files = manifest.files.filter(({ path }) => path !== "properties.json");
      fs.writeFileSync(folder + "backup.json", JSON.stringify(manifest));
      fs.rmSync(folder + "properties.json");`;
    await server.inside(`node -e '${forget}'`);
    const before = await catalogue(server);
    const plan = await server.call<RestorePlan>("restore-dump-plan", { id: dump });
    expect(plan.notes.join("\n")).toMatch(/the present ones are kept/);
    await server.call("restore-dump", { id: dump });
    expect(await catalogue(server)).toEqual(before);
  });
});

describe("an upgrade drops what it has made, and nothing else of such a name [A0]", () => {
  /** Runs words on the way back's stream, whose servers are this one, as the agent of stack `next` does. */
  async function way(words: string): Promise<string> {
    const { port } = server.target;
    const script = `const { back } = await import("${UPGRADE}/streams.ts");
      const { beginStream, endStream } = await import("${UPGRADE}/replication.ts");
      const own = { socketDirectory: "/var/run/postgresql", port: ${port} };
      const stream = back({ stack: "next", database: "app", old: own, new: own, fromNew: ${port}, fromOld: ${port} });
      const context = { signal: new AbortController().signal };
      try { ${words} } catch (error) { console.log(error.message); }`;
    return (await server.inside(`node --input-type=module -e '${script}'`)).trim();
  }

  const there = async () => {
    const [row] = await server.query<{ all: string }>(
      `SELECT concat_ws(' ', (SELECT string_agg(pubname, ',') FROM pg_publication), (SELECT string_agg(slot_name, ',') FROM pg_replication_slots)) AS all`,
      "app",
    );
    return row?.all;
  };

  test("a publication and a slot that it did not make stay, and it refuses to begin beside them", async () => {
    await server.run("CREATE PUBLICATION pgstack_way_back", "app");
    await server.run("SELECT pg_create_physical_replication_slot('pgstack_way_back')");
    const both = await there();
    expect(both).toContain("pgstack_way_back pgstack_way_back");
    expect(await way("await endStream(stream, { marked: true })")).toBe("");
    expect(await there()).toBe(both);
    const refusal = await way("await beginStream(stream, false, context)");
    expect(refusal).toMatch(
      /^there is a publication pgstack_way_back in database app, which this upgrade did not make/,
    );
    expect(await there()).toBe(both);
  });

  test("nor another upgrade's, which is named; its own go, also those that an earlier version made without a mark", async () => {
    await server.run(
      "COMMENT ON PUBLICATION pgstack_way_back IS 'Made by pgstack upgrade into stack other.'",
      "app",
    );
    expect(await way("await endStream(stream, { marked: true })")).toBe("");
    expect(await there()).toContain("pgstack_way_back pgstack_way_back");
    expect(await way("await beginStream(stream, false, context)")).toContain(
      "Made by pgstack upgrade into stack other.",
    );
    expect(await way("await endStream(stream, { marked: false })")).toBe("");
    expect(await there()).not.toContain("pgstack_way_back");
    await server.run("CREATE PUBLICATION pgstack_way_back", "app");
    expect(await way("console.log(stream.mark)")).toMatch(/into stack next/);
    await server.run(
      `COMMENT ON PUBLICATION pgstack_way_back IS '${await way("console.log(stream.mark)")}'`,
      "app",
    );
    expect(await way("await endStream(stream, { marked: true })")).toBe("");
    expect(await there()).not.toContain("pgstack_way_back");
  });
});
