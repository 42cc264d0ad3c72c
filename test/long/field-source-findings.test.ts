import { mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import type { Client } from "pg";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { DrillResult } from "../../agent/drill.ts";
import type { BackupEntry } from "../../agent/entry.ts";
import type { AgentStatus } from "../../agent/status.ts";
import type { VerifyResult } from "../../agent/verify.ts";
import { agentContainer, callAgent } from "../../operations/agent.ts";
import { executeInContainer } from "../../operations/execute.ts";
import type { HealthReport } from "../../operations/health.ts";
import { untilFirstBackup } from "../support/first-backup.ts";
import { LiveStack } from "../support/security/live-stack.ts";

let stack: LiveStack;
let dump: BackupEntry;
/** Open at every backup, with a temporary table of its own. */
let session: Client;

const ODD = `
  CREATE TABLE public."Im'ported" (id serial PRIMARY KEY);
  INSERT INTO public."Im'ported" SELECT generate_series(1, 10);
  CREATE SEQUENCE public.downward INCREMENT -1;
  CREATE TABLE public.descending (id int PRIMARY KEY DEFAULT nextval('public.downward'));
  ALTER SEQUENCE public.downward OWNED BY public.descending.id;
  INSERT INTO public.descending SELECT generate_series(-5, -1);
  CREATE TABLE public.doubles (n int);
  INSERT INTO public.doubles VALUES (1), (1), (-1);
  ALTER TABLE public.doubles ADD CONSTRAINT positive CHECK (n > 0) NOT VALID;
  CREATE TABLE public.parts (n int) PARTITION BY RANGE (n);
  CREATE TABLE public.parts_1 PARTITION OF public.parts FOR VALUES FROM (0) TO (10);
  CREATE UNLOGGED TABLE public.parts_2 PARTITION OF public.parts FOR VALUES FROM (10) TO (20);
  CREATE INDEX parts_n ON ONLY public.parts (n);
  CREATE UNLOGGED TABLE public.unlogged (id serial);
  INSERT INTO public.unlogged DEFAULT VALUES;
  CREATE MATERIALIZED VIEW public.stale AS SELECT id FROM public.descending;
  DELETE FROM public.descending WHERE id = -3;
  CREATE MATERIALIZED VIEW public.unfilled AS SELECT n FROM public.doubles WITH NO DATA;`;

/** What each backup is to name. */
const NAMED = [
  /^sequence public\."Im'ported_id_seq" is behind its column/,
  /^sequence public\.downward is behind its column/,
  /^index public\.doubles_n is not valid: REINDEX INDEX CONCURRENTLY public\.doubles_n, or drop it/,
  /^index public\.parts_n of the partitioned table public\.parts is not valid/,
  /^constraint positive of table public\.doubles is not validated: ALTER TABLE public\.doubles VALIDATE CONSTRAINT positive/,
  /^materialized view public\.unfilled \(owner administrator\) is not filled: REFRESH MATERIALIZED VIEW public\.unfilled/,
].map((pattern): string => expect.stringMatching(pattern));

beforeAll(async () => {
  stack = await LiveStack.bringUp({ backup: true }, async ({ directory }) => {
    await mkdir(join(directory, "sql"));
    await writeFile(
      join(directory, "sql", "verify.sql"),
      "SELECT to_regclass('public.falsehood') IS NULL;\n",
    );
    return { verificationSql: ["sql/verify.sql"] };
  });
  await untilFirstBackup(stack.target);
  await stack.write(ODD);
  session = await stack.session("administrator");
  await expect(
    session.query("CREATE UNIQUE INDEX CONCURRENTLY doubles_n ON public.doubles (n)"),
  ).rejects.toThrow(/could not create unique index/);
  await session.query("CREATE TEMPORARY TABLE passing (id serial)");
  await session.query("INSERT INTO passing DEFAULT VALUES");
});

afterAll(async () => {
  await session?.end().catch(() => {});
  await stack?.project.remove();
});

async function json<Value>(...options: string[]): Promise<Value> {
  const ended = await stack.project.pgstack([...options, "--json"]);
  if (ended.stdout === "") throw new Error(ended.stderr);
  return JSON.parse(ended.stdout) as Value;
}

async function take(kind: string): Promise<BackupEntry> {
  const [entry] = await callAgent<BackupEntry[]>(stack.target, "backup", { kind, waitSeconds: 120 });
  if (entry === undefined) throw new Error("no backup was taken");
  return entry;
}

async function verifyDeep(id: string): Promise<VerifyResult> {
  const [result] = await callAgent<VerifyResult[]>(stack.target, "verify", {
    id,
    deep: true,
    waitSeconds: 120,
  });
  if (result === undefined) throw new Error("nothing was verified");
  return result;
}

async function inAgent(script: string): Promise<string> {
  const container = agentContainer(stack.target.container);
  const command = ["sh", "-c", script];
  return (await executeInContainer({ ...stack.target, container }, { command })).stdout.trim();
}

async function healthCheck(name: string) {
  const { checks } = await json<HealthReport>("health", "--full");
  return checks.find((check) => check.name === name);
}

describe("what was odd at the source is told, and stands in the way of nothing [A7]", () => {
  test("a dump names each, and restores with the same words", async () => {
    const ended = await stack.project.pgstack(["backup"]);
    expect(ended.code, ended.output).toBe(0);
    expect(ended.stdout).toContain("warning  index public.doubles_n is not valid");
    dump = (await json<{ backups: BackupEntry[] }>("backups")).backups.at(-1) as BackupEntry;
    expect(dump.findings?.map(({ message }) => message)).toEqual(expect.arrayContaining(NAMED));
    expect(dump.findings).toHaveLength(NAMED.length);
    const { problems, warnings } = await verifyDeep(dump.id);
    expect(problems).toEqual([]);
    expect(warnings).toEqual(expect.arrayContaining(NAMED));
    expect(warnings).toContain(
      "materialized view public.stale was stale: it had 5 rows, and computed from its tables it has 4",
    );
  });

  test("so does a physical backup, with a session's temporary table in it", async () => {
    const entry = await take("full");
    expect(entry.findings?.map(({ message }) => message)).toEqual(expect.arrayContaining(NAMED));
    const { problems, warnings } = await verifyDeep(entry.id);
    expect(problems).toEqual([]);
    expect(warnings).toEqual(expect.arrayContaining(NAMED));
  });

  test("a drill succeeds and names each; health and the listings do", async () => {
    const drill = await json<DrillResult>("drill");
    expect(drill).toMatchObject({ result: "ok", warnings: expect.arrayContaining(NAMED) });
    expect(await healthCheck("backup contents")).toMatchObject({
      status: "warning",
      message: expect.stringContaining("is not valid"),
    });
    for (const command of ["status", "backups"]) {
      const { stdout } = await stack.project.pgstack([command]);
      expect(stdout).toContain("index public.doubles_n is not valid");
    }
  });

  test("everything archived is restored in place", async () => {
    const ended = await stack.project.pgstack(["restore", "--latest", "--yes"]);
    expect(ended.code, ended.output).toBe(0);
    expect(ended.stdout).toContain("warning  sequence public.downward is behind its column");
    expect(await stack.value("SELECT count(*) FROM public.descending")).toBe("4");
  });

  test("so is the dump", async () => {
    const ended = await stack.project.pgstack(["restore-dump", dump.id, "--yes"]);
    expect(ended.code, ended.output).toBe(0);
    expect(ended.stdout).toContain("warning  materialized view public.stale was stale");
    expect(await stack.value("SELECT count(*) FROM public.stale")).toBe("4");
  });
});

describe("what a restore has otherwise than its source is not put in use by itself [A7]", () => {
  test("a row that lacks fails the verification; a reason takes the dump all the same", async () => {
    dump = await take("logical");
    const manifest = `/backups/logical/${dump.id}/backup.json`;
    const [wanted, harm] = ["public.doubles", `s/"rows": 3/"rows": 4/`];
    await inAgent(`sed -i '/"table": "${wanted}"/,/rows/ ${harm}' ${manifest}`);
    expect((await verifyDeep(dump.id)).problems).toEqual([`${wanted} has 3 rows and should have 4`]);
    const refused = await stack.project.pgstack(["restore-dump", dump.id, "--yes"]);
    expect(refused.code).not.toBe(0);
    expect(refused.stderr).toMatch(/has 3 rows and should have 4\. Nothing was changed; --accept "REASON"/);
    const reason = "one row is known to lack";
    const taken = await stack.project.pgstack(["restore-dump", dump.id, "--yes", "--accept", reason]);
    expect(taken.code, taken.output).toBe(0);
    expect(taken.stdout).toContain("warning  accepted: public.doubles has 3 rows and should have 4");
    expect((await stack.project.pgstack(["audit", "--json"])).stdout).toContain(reason);
  });

  test("an index that is out of order fails the drill", async () => {
    await stack.inside(`psql --quiet --username postgres --dbname app --set ON_ERROR_STOP=1 <<'SQL'
      CREATE FUNCTION public.order_of(int, int) RETURNS int LANGUAGE sql IMMUTABLE AS 'SELECT pg_catalog.btint4cmp($1, $2)';
      CREATE OPERATOR CLASS public.own FOR TYPE int USING btree AS OPERATOR 1 <, OPERATOR 2 <=, OPERATOR 3 =, OPERATOR 4 >=,
        OPERATOR 5 >, FUNCTION 1 public.order_of(int, int);
      CREATE TABLE public.ordered AS SELECT n FROM generate_series(1, 100) n;
      CREATE INDEX out_of_order ON public.ordered (n public.own);
      CREATE OR REPLACE FUNCTION public.order_of(int, int) RETURNS int LANGUAGE sql IMMUTABLE AS 'SELECT pg_catalog.btint4cmp($2, $1)';
SQL`);
    await take("incremental");
    const drill = await json<DrillResult>("drill");
    expect(drill).toMatchObject({ result: "failed", message: expect.stringContaining("out_of_order") });
    await stack.inside(
      `psql --quiet --username postgres --dbname app --command 'DROP TABLE public.ordered; DROP OPERATOR FAMILY public.own USING btree; DROP FUNCTION public.order_of'`,
    );
  });

  test("a false verification SQL keeps the cluster for a decision; a reason puts it in use", async () => {
    await stack.write("CREATE TABLE public.falsehood ();");
    const entry = await take("incremental");
    await stack.write("DROP TABLE public.falsehood;");
    const refused = await stack.project.pgstack(["restore", entry.id, "--yes"]);
    expect(refused.code).not.toBe(0);
    expect(refused.stderr).toMatch(
      /pgstack: the cluster of restore \S+ failed verification: sql\/verify\.sql: answer 1 is f and not true\. Nothing in use was changed, and it is kept: pgstack restore --resume --accept "REASON"/,
    );
    const journal = () => callAgent<{ phase: string } | null>(stack.target, "restore-journal");
    expect(await journal()).toMatchObject({ phase: "failed verification" });
    // Backups go on: nothing in use has changed.
    await take("logical");
    const again = await stack.project.pgstack(["restore", "--latest", "--yes"]);
    expect(again.stderr).toContain("failed verification");
    const reason = "the falsehood is harmless";
    const taken = await stack.project.pgstack(["restore", "--resume", "--accept", reason, "--yes"]);
    expect(taken.code, taken.output).toBe(0);
    expect(await journal()).toBeNull();
    expect(await stack.value("SELECT to_regclass('public.falsehood')")).not.toBeNull();
    expect((await stack.project.pgstack(["audit", "--json"])).stdout).toContain(reason);
    await stack.write("DROP TABLE public.falsehood;");
  });
});

describe("a dump that a restore would fail on is told of when it is taken [A6]", () => {
  test("the function is named with its cure; the scheduled run restores its dump and fails once", async () => {
    await stack.write(
      `CREATE FUNCTION public.is_even(int) RETURNS boolean LANGUAGE sql IMMUTABLE AS 'SELECT $1 % 2 = 0';
       CREATE FUNCTION public.checked(n int) RETURNS boolean LANGUAGE plpgsql IMMUTABLE AS 'BEGIN RETURN is_even(n); END';
       CREATE TABLE public.even (n int CHECK (public.checked(n)));
       INSERT INTO public.even VALUES (2);`,
    );
    const { findings } = await take("logical");
    const [finding] = (findings ?? []).filter(({ kind }) => kind === "search_path");
    expect(finding?.message).toBe(
      "function public.checked(integer) is called by constraint even_n_check of table public.even and finds is_even by search_path, which a restore of a dump empties: ALTER FUNCTION public.checked(integer) SET search_path = public, pg_temp",
    );
    const { lastRuns } = await callAgent<AgentStatus>(stack.target, "status");
    expect(lastRuns[0]?.message).toContain("no table of users to restore for proof");
    const failed = await scheduledRun();
    expect(failed).toMatchObject({ result: "failed", final: true });
    expect(failed?.message).toMatch(/cannot be relied on: .*is_even/);
    expect(await healthCheck("backup contents")).toMatchObject({
      status: "failed",
      message: expect.stringMatching(/the newest backup failed its verification: logical \S+: .*is_even/),
    });
    await stack.write(/ALTER FUNCTION .*$/.exec(finding?.message ?? "")?.[0] ?? "");
    const run = await scheduledRun();
    expect(run).toMatchObject({ result: "ok", message: expect.stringMatching(/; restored for proof: \S+$/) });
    const { backups } = await json<{ backups: BackupEntry[] }>("backups");
    const proven = backups.findLast(({ kind }) => kind === "logical");
    expect(proven?.verification).toMatchObject({ form: "restored", result: "ok" });
    expect(proven?.findings?.filter(({ kind }) => kind === "search_path")).toEqual([]);
  });
});

/** Has the agent believe that it never took a backup, and waits for what it then does. */
async function scheduledRun() {
  const last = async () => (await callAgent<AgentStatus>(stack.target, "status")).lastRuns.at(-1);
  const before = (await last())?.at;
  await inAgent("echo '{}' >/backups/state/schedule.json");
  await expect.poll(async () => (await last())?.at, { timeout: 120_000, interval: 1_000 }).not.toBe(before);
  return last();
}
