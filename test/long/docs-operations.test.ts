import { rm } from "node:fs/promises";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { Backups } from "../../agent/metadata.ts";
import { callAgent } from "../../operations/agent.ts";
import { dockerEngine } from "../../operations/docker.ts";
import { queryAsSuperuser } from "../../operations/superuser.ts";
import type { Target } from "../../operations/target.ts";
import { Manual } from "../support/manual.ts";
import { LiveStack } from "../support/security/live-stack.ts";

const LIST = "Disaster recovery list";

let stack: LiveStack;
let manual: Manual;

beforeAll(async () => {
  manual = await Manual.read("operations.md");
  stack = await LiveStack.bringUp({ backup: true });
  await stack.write("CREATE TABLE public.orders AS SELECT n FROM generate_series(1, 10) n;");
});

afterAll(() => stack?.project.remove());

async function count(target: Target = stack.target): Promise<number | undefined> {
  const sql = "SELECT count(*)::int AS n FROM public.orders";
  return (await queryAsSuperuser<{ n: number }>(target, sql, { database: "app" }))[0]?.n;
}

/** Runs a command of the list as it stands; it must be there. */
async function run(command: string, values: Readonly<Record<string, string>> = {}): Promise<string> {
  expect(manual.section(LIST)).toContain(`\`${command}\``);
  const words = command
    .replace(/^\.\/pgstack /, "")
    .split(" ")
    .map((word) => values[word] ?? word);
  const yes = ["restore-dump", "state"].includes(words[0] ?? "") ? ["--yes"] : [];
  const ended = await stack.project.pgstack([...words, ...yes]);
  expect(ended.code, `${command}\n${ended.output}`).toBe(0);
  return ended.output;
}

describe("A4 docs/operations.md: the disaster recovery list", () => {
  test("A4 before a disaster: each command, and what it is expected to say", async () => {
    const commands = manual.commands(LIST);
    const answers = [
      /^ok +last good physical backup/m,
      /^ok: backup .*restore to a sound database/m,
      /^ok /m,
    ];
    expect(commands).toHaveLength(answers.length);
    // The drill first, since the list is ok only with one.
    const order = [1, 2, 0];
    for (const index of order) {
      const ended = await stack.project.pgstack((commands[index] ?? "").split(" ").slice(1));
      expect(ended.code, ended.output).toBe(0);
      expect(ended.output).toMatch(answers[index] ?? /^never$/);
      expect(ended.output).not.toMatch(/^failed/m);
    }
  });

  test("A4 rows by mistake: out of a dump", async () => {
    const { entries } = await callAgent<Backups>(stack.target, "list");
    const ended = await stack.project.pgstack(["backup", "--label", "list"]);
    expect(ended.code, ended.output).toBe(0);
    expect(entries.length).toBeGreaterThan(0);
    await stack.write("DELETE FROM public.orders WHERE n > 3;");
    await run("./pgstack restore-dump ID --table public.orders", { ID: "list" });
    expect(await count()).toBe(10);
  });

  test("A4 the container is gone: up makes it again, nothing is lost", async () => {
    await stack.write("INSERT INTO public.orders VALUES (11);");
    await dockerEngine().getContainer(stack.target.container).remove({ force: true });
    await stack.up();
    expect(await count()).toBe(11);
  });

  test("A4 the data directory is damaged: everything that was archived", async () => {
    await callAgent(stack.target, "restore-point", { name: "archived" });
    await stack.inside('rm "$PGDATA"/global/pg_control');
    await dockerEngine().getContainer(stack.target.container).restart();
    expect(await run("./pgstack restore --latest --yes")).toMatch(/^Restored \(/m);
    expect(await count()).toBe(11);
    await run("./pgstack restart --no-backup");
  });

  test("A4 Pulumi's state is gone: brought back; with every saved one, made anew; nothing is lost", async () => {
    await stack.write("INSERT INTO public.orders VALUES (12);");
    const { project } = stack;
    const lose = (folder: string) =>
      rm(join(project.directory, ".pgstack", folder), { recursive: true, force: true });
    const noChanges = async () => {
      const preview = await project.pulumi(["preview", "--refresh", "--expect-no-changes"]);
      expect(preview.code, preview.output).toBe(0);
    };
    expect((await project.pgstack(["state", "save"])).code).toBe(0);
    await lose("state/.pulumi");
    await run("./pgstack state restore");
    await noChanges();
    await lose("state/.pulumi");
    await lose("state-backups");
    expect(await run("./pgstack state rebuild")).toMatch(/has a new state/);
    await noChanges();
    expect(await count()).toBe(12);
  });
});
