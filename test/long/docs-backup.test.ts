import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { BackupEntry } from "../../agent/entry.ts";
import type { Backups } from "../../agent/metadata.ts";
import { callAgent } from "../../operations/agent.ts";
import { queryAsSuperuser, runAsSuperuser } from "../../operations/superuser.ts";
import { Manual } from "../support/manual.ts";
import type { TestProject } from "../support/project.ts";
import { LiveStack } from "../support/security/live-stack.ts";

let stack: LiveStack;
let manual: Manual;
let rescue: TestProject;

beforeAll(async () => {
  manual = await Manual.read("backup.md");
  stack = await LiveStack.bringUp({ backup: true, backupEncryption: true });
  rescue = stack.project.sibling("r");
  await runAsSuperuser(
    stack.target,
    `CREATE TABLE public.orders (n int PRIMARY KEY); INSERT INTO public.orders VALUES (1), (2);
     CREATE SCHEMA sales; CREATE TABLE sales.invoices AS SELECT 1 AS n;`,
    { database: "app", role: "administrator" },
  );
});

afterAll(() => stack?.project.remove());

/** Runs one line of the manual as it stands, on the test's stack. */
async function run(line: string): Promise<string> {
  const words = line.replace(/^\.\/pgstack /, "").split(" ");
  const yes = /^\.\/pgstack restore-dump/.test(line) ? ["--yes"] : [];
  const ended = await stack.project.pgstack([...words, ...yes]);
  expect(ended.code, `${line}\n${ended.output}`).toBe(0);
  return ended.output;
}

describe("docs/backup.md, step by step", () => {
  test("A4 take one by hand", async () => {
    const commands = manual.commands("Take one by hand");
    expect(commands).toHaveLength(3);
    for (const command of commands) await run(command);
  });

  test("L2 each question of the table, and what is a good answer", async () => {
    const rows = [...manual.section("Look").matchAll(/^\| .+\? \| `(\.\/pgstack [^`]+)`.* \| (.+) \|$/gm)];
    const answers: Record<string, RegExp> = {
      "./pgstack backups": /read back/,
      "./pgstack status": /^archive +ok/m,
      "./pgstack drill": /RTO/,
      "./pgstack verify [ID]": /^ok /m,
      "./pgstack backups --prune --dry-run": /kept|stays|nothing/i,
    };
    expect(rows.map(([, command]) => command).sort()).toEqual(Object.keys(answers).sort());
    for (const [, command = ""] of rows) {
      expect(await run(command.replace(" [ID]", ""))).toMatch(answers[command] ?? /^never$/);
    }
  });

  test("L7 bring back a dump, or parts of it", async () => {
    const { entries } = await callAgent<Backups>(stack.target, "list");
    const id = entries.findLast((entry: BackupEntry) => entry.label === "before-7.2")?.id ?? "";
    const commands = manual.commands("Bring back a dump, or parts of it");
    expect(commands).toHaveLength(3);
    for (const command of commands) await run(command.replace(" ID", ` ${id}`));
  });

  test("L8 stop and start", async () => {
    const commands = manual.commands("Stop and start");
    expect(commands).toEqual(["./pgstack shutdown", "./pgstack start", "./pgstack restart"]);
    for (const command of commands) await run(command);
  });

  test("F56 only the backups are left", async () => {
    const { backupKey } = await stack.project.outputs<{ backupKey: string }>();
    await callAgent(stack.target, "restore-point", { name: "archived" });
    const commands = manual.commands("Restore into a new stack").filter((line) => !line.startsWith("eval "));
    expect(commands).toHaveLength(5);
    for (const command of commands) {
      const line = command
        .replaceAll(/\brescue\b/g, rescue.stack)
        .replace("pgstack-dev-backups", `pgstack-${stack.project.stack}-backups`)
        .replace(/^npm start -- /, "pulumi up --yes --skip-preview ");
      const [program = "", ...words] = line.split(" ");
      if (line.includes(" up ")) await rescue.makeSmall();
      const ended = await stack.project.run(program, [...words, "--non-interactive"], { input: backupKey });
      expect(ended.code, `${line}\n${ended.output}`).toBe(0);
    }
    const sql = "SELECT count(*)::int AS n FROM public.orders";
    expect(await queryAsSuperuser(rescue.target, sql, { database: "app" })).toEqual([{ n: 2 }]);
  });
});
