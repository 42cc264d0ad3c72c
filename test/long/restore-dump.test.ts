import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { BackupEntry } from "../../agent/entry.ts";
import { callAgent } from "../../operations/agent.ts";
import { queryAsSuperuser } from "../../operations/superuser.ts";
import { LiveStack } from "../support/security/live-stack.ts";

let stack: LiveStack;
let dump: BackupEntry;

beforeAll(async () => {
  stack = await LiveStack.bringUp({ backup: true, backupEncryption: true });
  await stack.write(
    `CREATE TABLE public.orders (id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, customer text NOT NULL);
     INSERT INTO public.orders (customer) SELECT 'customer ' || n FROM generate_series(1, 100) n;
     CREATE INDEX by_customer ON public.orders (customer);
     CREATE SCHEMA sales AUTHORIZATION administrator;
     CREATE TABLE sales.invoices AS SELECT n FROM generate_series(1, 10) n;`,
  );
  const [entry] = await callAgent<BackupEntry[]>(stack.target, "backup", {
    ...{ kind: "logical", label: "good", waitSeconds: 60 },
  });
  if (entry === undefined) throw new Error("no backup was taken");
  dump = entry;
});

afterAll(() => stack?.project.remove());

async function count(table: string): Promise<number> {
  const sql = `SELECT count(*)::int AS n FROM ${table}`;
  return (await queryAsSuperuser<{ n: number }>(stack.target, sql, { database: "app" }))[0]?.n ?? -1;
}

async function databases(): Promise<string[]> {
  const sql = "SELECT datname AS name FROM pg_database WHERE NOT datistemplate ORDER BY 1";
  return (await queryAsSuperuser<{ name: string }>(stack.target, sql)).map(({ name }) => name);
}

describe("L7 a dump is brought back", () => {
  test("L7 one table, in one transaction; the others stay as they are", async () => {
    await stack.write("DELETE FROM public.orders WHERE id > 10; INSERT INTO sales.invoices VALUES (11);");
    const ended = await stack.project.pgstack(["restore-dump", "good", "--table", "public.orders", "--yes"]);
    expect(ended.code, ended.output).toBe(0);
    expect([await count("public.orders"), await count("sales.invoices")]).toEqual([100, 11]);
    await stack.write(
      "INSERT INTO public.orders (customer) VALUES ('next'); DELETE FROM public.orders WHERE id = 101;",
    );
    const indexes = "SELECT indexname AS name FROM pg_indexes WHERE tablename = 'orders' ORDER BY 1";
    expect(await queryAsSuperuser(stack.target, indexes, { database: "app" })).toEqual([
      { name: "by_customer" },
      { name: "orders_pkey" },
    ]);
    const application = await stack.session("application");
    await application.query("INSERT INTO public.orders (customer) VALUES ('by the application')");
    await application.query("DELETE FROM public.orders WHERE id > 100");
    await application.end();
  });

  test("L7 a table that the backup has not is named, and no backup is taken for it", async () => {
    const backups = async () =>
      (await callAgent<{ entries: BackupEntry[] }>(stack.target, "list")).entries.map(({ id }) => id);
    const before = await backups();
    const ended = await stack.project.pgstack(["restore-dump", "good", "--table", "public.nothing", "--yes"]);
    expect(ended.code).not.toBe(0);
    expect(ended.stderr).toMatch(/^pgstack: the backup has no public\.nothing: nothing was changed$/m);
    expect(await backups()).toEqual(before);
  });

  test("L7 one schema; what was made in it since stays", async () => {
    await stack.write("DROP TABLE sales.invoices; CREATE TABLE sales.later AS SELECT 1 AS n;");
    const ended = await stack.project.pgstack(["restore-dump", dump.id, "--schema", "sales", "--yes"]);
    expect(ended.code, ended.output).toBe(0);
    expect([await count("sales.invoices"), await count("sales.later")]).toEqual([10, 1]);
    await stack.write("DROP SCHEMA sales CASCADE;");
    const again = await stack.project.pgstack(["restore-dump", dump.id, "--schema", "sales", "--yes"]);
    expect(again.code, again.output).toBe(0);
    expect(await count("sales.invoices")).toBe(10);
  });

  test("L7 a part that others rest on is refused whole: nothing was changed", async () => {
    await stack.write(
      "CREATE TABLE public.lines (id bigint REFERENCES public.orders); INSERT INTO public.lines VALUES (1); DELETE FROM public.orders WHERE id = 100;",
    );
    const ended = await stack.project.pgstack(["restore-dump", "good", "--table", "public.orders", "--yes"]);
    expect(ended.code).not.toBe(0);
    expect(ended.stderr).toMatch(/pgstack: nothing was changed: .*depend/);
    expect([await count("public.orders"), await count("public.lines")]).toEqual([99, 1]);
  });

  test("L7 the whole database, while clients are on it; the one from before is kept, shut off", async () => {
    const client = await stack.session("application");
    const ended = await stack.project.pgstack(["restore-dump", "good", "--yes"]);
    expect(ended.code, ended.output).toBe(0);
    await expect(client.query("SELECT 1")).rejects.toThrow();
    expect(await count("public.orders")).toBe(100);
    const [kept] = (await databases()).filter((name) => name.startsWith("app_before_"));
    expect(ended.stdout).toContain(`is kept as ${kept}`);
    const again = await stack.session("application");
    await again.query("INSERT INTO public.orders (customer) VALUES ('new')");
    await again.end();
    const preview = await stack.project.pulumi(["preview", "--refresh", "--expect-no-changes"]);
    expect(preview.code, preview.output).toBe(0);
  });

  test("L7 F19 a damaged dump is refused before anything is touched", async () => {
    const { executeInContainer } = await import("../../operations/execute.ts");
    const container = `${stack.target.container}-agent`;
    const file = `/backups/logical/${dump.id}/database.dump.sealed`;
    const harm = `printf '\\377' | dd of=${file} bs=1 seek=500 conv=notrunc 2>/dev/null`;
    await executeInContainer({ ...stack.target, container }, { command: ["sh", "-c", harm] });
    const before = await databases();
    const ended = await stack.project.pgstack(["restore-dump", "good", "--yes"]);
    expect(ended.code).not.toBe(0);
    expect(ended.stderr).toMatch(/pgstack: backup \S+ is damaged: database\.dump\.sealed was changed/);
    expect(await databases()).toEqual(before);
    expect(await count("public.orders")).toBe(101);
  });

  test("A4 the disaster recovery check tells each point and writes its report", async () => {
    await callAgent(stack.target, "backup", { kind: "full", waitSeconds: 60 });
    await callAgent(stack.target, "drill");
    const ended = await stack.project.pgstack(["dr-check"]);
    expect(ended.stdout).toMatch(/ok\s+restore proven by a drill/);
    expect(ended.stdout).toMatch(/warning\s+a copy off this host/);
    const { stdout } = await stack.project.run("sh", ["-c", "cat logs/dr-check-*.md"]);
    expect(stdout).toContain("| last good physical backup | ok |");
  });
});
