import { readFile } from "node:fs/promises";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { BackupEntry } from "../../agent/entry.ts";
import type { Backups } from "../../agent/metadata.ts";
import { callAgent } from "../../operations/agent.ts";
import { dockerEngine } from "../../operations/docker.ts";
import { queryAsSuperuser, runAsSuperuser } from "../../operations/superuser.ts";
import { LABEL_STACK } from "../../operations/target.ts";
import { LiveStack } from "../support/security/live-stack.ts";

const MANUAL = fileURLToPath(new URL("../../docs/backup.md", import.meta.url));

let stack: LiveStack;
let manual: string;
let rescue: string;

beforeAll(async () => {
  manual = await readFile(MANUAL, "utf8");
  stack = await LiveStack.bringUp({ backup: true, backupEncryption: true });
  rescue = `${stack.project.stack}r`;
  await runAsSuperuser(
    stack.target,
    `CREATE TABLE public.orders (n int PRIMARY KEY); INSERT INTO public.orders VALUES (1), (2);
     CREATE SCHEMA sales; CREATE TABLE sales.invoices AS SELECT 1 AS n;`,
    { database: "app", role: "administrator" },
  );
});

afterAll(async () => {
  const docker = dockerEngine();
  const filters = { label: [`${LABEL_STACK}=${rescue}`] };
  for (const { Id } of await docker.listContainers({ all: true, filters }))
    await docker.getContainer(Id).remove({ force: true, v: true });
  for (const { Name } of (await docker.listVolumes({ filters })).Volumes)
    await docker.getVolume(Name).remove();
  for (const { Id } of await docker.listNetworks({ filters })) await docker.getNetwork(Id).remove();
  await stack?.project.remove();
});

/** The commands of a section's code blocks, without their comments. */
function commandsOf(section: string): string[] {
  const text = sectionOf(section);
  return [...text.matchAll(/^```\n(.*?)^```$/gms)]
    .flatMap(([, block = ""]) => block.split("\n"))
    .map((line) => line.replace(/\s+#.*$/, "").trim())
    .filter((line) => line !== "");
}

function sectionOf(heading: string): string {
  const found = manual.split(/^## /m).find((part) => part.startsWith(`${heading}\n`));
  if (found === undefined) throw new Error(`docs/backup.md has no section ${heading}`);
  return found;
}

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
    const commands = commandsOf("Take one by hand");
    expect(commands).toHaveLength(3);
    for (const command of commands) await run(command);
  });

  test("L2 each question of the table, and what is a good answer", async () => {
    const rows = [...sectionOf("Look").matchAll(/^\| .+\? \| `(\.\/pgstack [^`]+)`.* \| (.+) \|$/gm)];
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
    const commands = commandsOf("Bring back a dump, or parts of it");
    expect(commands).toHaveLength(3);
    for (const command of commands) await run(command.replace(" ID", ` ${id}`));
  });

  test("L8 stop and start", async () => {
    const commands = commandsOf("Stop and start");
    expect(commands).toEqual(["./pgstack shutdown", "./pgstack start", "./pgstack restart"]);
    for (const command of commands) await run(command);
  });

  test("F56 only the backups are left", async () => {
    const { backupKey } = await stack.project.outputs<{ backupKey: string }>();
    await callAgent(stack.target, "restore-point", { name: "archived" });
    const commands = commandsOf("Restore into a new stack").filter((line) => !line.startsWith("eval "));
    expect(commands).toHaveLength(5);
    for (const command of commands) {
      const line = command
        .replaceAll(/\brescue\b/g, rescue)
        .replace("pgstack-dev-backups", `pgstack-${stack.project.stack}-backups`)
        .replace(/^npm start -- /, "pulumi up --yes --skip-preview ");
      const [program = "", ...words] = line.split(" ");
      if (line.includes(" up ")) await small();
      const ended = await stack.project.run(program, [...words, "--non-interactive"], { input: backupKey });
      expect(ended.code, `${line}\n${ended.output}`).toBe(0);
    }
    const target = { ...stack.target, stack: rescue, container: `pgstack-${rescue}` };
    const sql = "SELECT count(*)::int AS n FROM public.orders";
    expect(await queryAsSuperuser(target, sql, { database: "app" })).toEqual([{ n: 2 }]);
  });

  /** As every test's stack: of the test kind, and small. */
  async function small(): Promise<void> {
    for (const [key, value] of [
      ["environment", "test"],
      ["memoryLimit", "512MB"],
      ["sharedBuffers", "64MB"],
    ] as const) {
      const set = ["config", "set", "--stack", rescue, `pgstack:${key}`, value, "--non-interactive"];
      expect((await stack.project.run("pulumi", set)).code).toBe(0);
    }
  }
});
