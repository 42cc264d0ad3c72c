import { cp, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { beforeAll, describe, expect, onTestFinished, test } from "vitest";
import { auditFileNames } from "../../../operations/audit/files.ts";
import { type AuditRecord, verifyAudit } from "../../../operations/audit.ts";
import { runAsSuperuser } from "../../../operations/superuser.ts";
import type { LiveStack } from "../../support/security/live-stack.ts";
import { SecretSearch, textSecret } from "../../support/security/secrets.ts";
import { temporaryFolder } from "../../support/temporary-folder.ts";

let stack: LiveStack;
const passwords: string[] = [];

const logs = (): string => join(stack.project.directory, "logs");

async function auditRecords(): Promise<AuditRecord[]> {
  const names = await auditFileNames(logs(), stack.project.stack);
  const texts = await Promise.all(names.map((name) => readFile(join(logs(), name), "utf8")));
  return texts
    .join("")
    .trim()
    .split("\n")
    .map((line) => JSON.parse(line));
}

const bySuperuser = (sql: string) => runAsSuperuser(stack.target, sql, { database: stack.target.database });

async function changesPlanned(): Promise<string> {
  const { code, output } = await stack.project.pulumi(["preview"]);
  expect(code, output).toBe(0);
  return output;
}

/**
 * A rotation, what a hand has changed in SQL, and the audit log of both.
 *
 * @param live The stack, as its first `up` has left it.
 * @param rotated What it was brought up with, and a first rotation of the application's password; in force from here on.
 */
export function driftAndAudit(live: () => LiveStack, rotated: Readonly<Record<string, unknown>>): void {
  beforeAll(() => {
    stack = live();
  });

  test("S3 another rotation in the config and up: new password in, old one out, sessions stay, no restart, recorded", async () => {
    const before = (["administrator", "application", "readonly"] as const).map((kind) =>
      stack.credential(kind),
    );
    passwords.push(...before.map(({ password }) => password));
    const old = stack.credential("application").password;
    const session = await stack.session("application");
    const { rows } = await session.query("SELECT pg_backend_pid() AS pid");
    const start = await stack.startTime();
    const recorded = (await auditRecords()).length;

    await stack.change(rotated);

    const { password } = stack.credential("application");
    passwords.push(password);
    expect(password).not.toBe(old);
    expect(password).toMatch(/^[A-Za-z0-9]{32}$/);
    expect(stack.credential("administrator")).toEqual(before[0]);
    expect(stack.credential("readonly")).toEqual(before[2]);
    await (await stack.session("application")).end();
    await expect(stack.session("application", { password: old })).rejects.toMatchObject({ code: "28P01" });
    expect((await session.query("SELECT pg_backend_pid() AS pid")).rows).toEqual(rows);
    await session.end();
    expect(await stack.startTime()).toBe(start);
    const records = (await auditRecords()).slice(recorded);
    expect(records.map(({ operation, result }) => `${operation} ${result}`)).toEqual([
      "role.rotate ok",
      "health.check ok",
    ]);
    expect(records[0]?.parameters).toMatchObject({ role: "application", kind: "application" });
  });

  describe("F13 what a hand changes in SQL is shown, and put right by up", () => {
    test("F13 S1 passwords, attributes, memberships, grants, owners and default privileges", async () => {
      await bySuperuser(`
      ALTER ROLE application PASSWORD 'changed-by-hand';
      ALTER ROLE readonly CREATEDB;
      SET ROLE administrator;
      CREATE TABLE public.orders (id integer, note text);
      RESET ROLE;
      GRANT INSERT, DELETE ON public.orders TO readonly;
      GRANT UPDATE (note) ON public.orders TO readonly;
      REVOKE SELECT ON public.orders FROM application;
      GRANT SELECT ON public.orders TO PUBLIC;
      GRANT CREATE ON SCHEMA public TO application;
      GRANT TEMPORARY ON DATABASE app TO readonly;
      GRANT pg_write_all_data TO readonly;
      GRANT administrator TO application;
      ALTER ROLE readonly SUPERUSER;
      ALTER ROLE application BYPASSRLS;
      ALTER DEFAULT PRIVILEGES FOR ROLE administrator IN SCHEMA public GRANT ALL ON TABLES TO readonly;
      ALTER TABLE public.orders OWNER TO application;
    `);
      await expect(stack.session("application")).rejects.toMatchObject({ code: "28P01" });
      const output = await changesPlanned();
      expect(output).toMatch(/Role .*database-application .*update/);
      expect(output).not.toContain("changed-by-hand");
      for (const drift of [
        'role "application": set its password',
        'role "readonly": take away SUPERUSER',
        'role "readonly": take away CREATEDB',
        'role "application": take away BYPASSRLS',
        'role "readonly": take away membership in "pg_write_all_data"',
        'table public.orders: revoke DELETE, INSERT from "readonly"',
        'schema public: revoke CREATE from "application"',
      ]) {
        expect(output).toContain(`drift: ${drift}`);
      }
      await stack.up();
      const after = await stack.project.pulumi(["preview", "--refresh", "--expect-no-changes"]);
      expect(after.code, after.output).toBe(0);
      expect(after.output).not.toContain("drift:");
      await expect(stack.session("application", { password: "changed-by-hand" })).rejects.toMatchObject({
        code: "28P01",
      });

      const readonly = await stack.session("readonly");
      await readonly.query("SET default_transaction_read_only = off");
      for (const sql of [
        "INSERT INTO public.orders VALUES (1, '')",
        "UPDATE public.orders SET note = ''",
        "DELETE FROM public.orders",
        "CREATE TEMPORARY TABLE t ()",
      ]) {
        await expect(readonly.query(sql), sql).rejects.toMatchObject({ code: "42501" });
      }
      expect((await readonly.query("SELECT * FROM public.orders")).rows).toEqual([]);
      await readonly.end();
      const application = await stack.session("application");
      await application.query("INSERT INTO public.orders VALUES (1, 'one')");
      for (const sql of [
        "DROP TABLE public.orders",
        "CREATE TABLE public.t ()",
        "SET ROLE administrator",
        "ALTER TABLE public.orders DISABLE TRIGGER ALL",
      ]) {
        await expect(application.query(sql), sql).rejects.toMatchObject({ code: "42501" });
      }
      await application.end();
    });
  });

  describe("S8 F16 the audit log after all of this", () => {
    test("S8 every operation that changed something left its record, in order, without a secret", async () => {
      const records = await auditRecords();
      const done = records.map(({ operation }) => operation);
      expect(new Set(done)).toEqual(
        new Set([
          ...["network.create", "configuration.create", "server.create", "role.create", "database.create"],
          ...["role.rotate", "role.update", "database.update", "health.check", "test-environment.mark"],
        ]),
      );
      expect(done.filter((operation) => operation === "role.create")).toHaveLength(3);
      for (const [index, record] of records.entries()) {
        expect(record).toMatchObject({
          sequence: index + 1,
          operator: "test",
          stack: stack.project.stack,
          result: "ok",
          time: expect.stringMatching(/^\d{4}-\d\d-\d\dT[\d:.]+Z$/),
          durationMilliseconds: expect.any(Number),
        });
      }
      expect(records.find(({ operation }) => operation === "server.create")?.parameters).toMatchObject({
        container: stack.target.container,
        limits: { processes: 256, memoryMegabytes: 512 },
      });
      expect(records.find(({ operation }) => operation === "configuration.create")?.parameters).toMatchObject(
        {
          tls: "generated",
          certificate: expect.stringMatching(/^([0-9A-F]{2}:){31}[0-9A-F]{2}$/),
        },
      );
      const search = new SecretSearch(
        passwords.map((value, index) => textSecret(`password ${index}`, value)),
      );
      search.look("audit log", JSON.stringify(records));
      expect(search.found).toEqual([]);
    });

    test("S8 pgstack audit verify finds the log whole", async () => {
      const { code, stdout, output } = await stack.project.pgstack(["audit", "verify", "--json"]);
      expect(code, output).toBe(0);
      expect(JSON.parse(stdout)).toMatchObject({ firstBad: null, records: (await auditRecords()).length });
    });

    const edits: [string, (lines: string[]) => string[], number][] = [
      [
        "edited",
        (lines) => lines.with(4, (lines[4] ?? "").replace('"operator":"test"', '"operator":"else"')),
        5,
      ],
      ["removed", (lines) => lines.toSpliced(3, 1), 4],
      ["reordered", (lines) => lines.with(2, lines[3] ?? "").with(3, lines[2] ?? ""), 3],
      ["inserted a second time", (lines) => lines.toSpliced(2, 0, lines[1] ?? ""), 3],
    ];
    test.each(edits)("F16 a record that was %s is named", async (_, edit, line) => {
      const copy = await temporaryFolder();
      await cp(logs(), copy, { recursive: true });
      const [name = ""] = await auditFileNames(copy, stack.project.stack);
      const lines = (await readFile(join(copy, name), "utf8")).trimEnd().split("\n");
      await writeFile(join(copy, name), `${edit(lines).join("\n")}\n`);
      const { firstBad } = await verifyAudit(copy, stack.project.stack);
      expect(firstBad).toMatchObject({ file: join(copy, name), line });
    });

    test("F16 last records that were cut off are missed, by the command line too", async () => {
      const [name = ""] = await auditFileNames(logs(), stack.project.stack);
      const path = join(logs(), name);
      const whole = await readFile(path, "utf8");
      onTestFinished(() => writeFile(path, whole));
      const lines = whole.trimEnd().split("\n");
      await writeFile(path, `${lines.slice(0, -2).join("\n")}\n`);
      const { code, stdout } = await stack.project.pgstack(["audit", "verify"]);
      expect(code).toBe(1);
      expect(stdout).toMatch(new RegExp(`line ${lines.length - 1}: 2 last records are missing`));
    });
  });
}

/** The end of the same stack. */
export function auditedDestroy(): void {
  test("S8 destroy is recorded: that the server goes, and its network", async () => {
    const recorded = (await auditRecords()).length;
    const { code, output } = await stack.project.pulumi(["destroy", "--yes", "--skip-preview"]);
    expect(code, output).toBe(0);
    const done = (await auditRecords())
      .slice(recorded)
      .map(({ operation, result }) => `${operation} ${result}`);
    expect(done[0]).toBe("server.remove ok");
    expect(done).toContain("network.remove ok");
    expect(await verifyAudit(logs(), stack.project.stack)).not.toHaveProperty("firstBad");
  });
}
