import { mkdir, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { Backups } from "../../agent/metadata.ts";
import { callAgent } from "../../operations/agent.ts";
import {
  hashOfSettings,
  type Journal,
  readJournal,
  writeJournal,
} from "../../operations/promotion/journal.ts";
import { queryAsSuperuser } from "../../operations/superuser.ts";
import { outputs } from "../support/fake-pulumi.ts";
import { importState, type MadeUp, SERVER_RESOURCE } from "../support/imported-state.ts";
import { type Ended, TestProject } from "../support/project.ts";
import { LiveStack } from "../support/security/live-stack.ts";

const NETWORK: MadeUp = ["pgstack:index:IsolatedNetwork$docker:index/network:Network", "network"];

interface Saved {
  readonly id: string;
  readonly resources: number;
  readonly server: boolean;
  readonly savedBy: string;
}

let project: TestProject;

beforeAll(async () => {
  project = await TestProject.create();
});

afterAll(() => project?.remove());

function succeeded(ended: Ended): Ended {
  expect(ended.code, ended.output).toBe(0);
  return ended;
}

async function saved(): Promise<Saved[]> {
  const { stdout } = succeeded(await project.pgstack(["state", "list", "--json"]));
  return (JSON.parse(stdout) as { saved: Saved[] }).saved;
}

async function present(): Promise<number> {
  const { stdout } = succeeded(await project.pulumi(["stack", "export", "--stack", project.stack]));
  const { deployment } = JSON.parse(stdout) as { deployment: { resources: unknown[] } };
  return deployment.resources.length - 1;
}

async function save(resources: readonly MadeUp[]): Promise<void> {
  await importState(project, { ...outputs({}, project.stack) }, resources);
  succeeded(await project.pgstack(["state", "save"]));
}

describe("a state that lost its server (D7)", () => {
  test("the newest saved one that knows the server is offered, however many came after it", async () => {
    await save([NETWORK, SERVER_RESOURCE]);
    await save([NETWORK]);
    await save([]);
    await save([NETWORK, ["pgstack:index:DataVolume", "volume"]]);
    const restored = succeeded(await project.pgstack(["state", "restore", "--yes"]));
    expect(restored.stderr).toMatch(/present state: knows nothing of the server, saved as/);
    expect(restored.stderr).toMatch(/brought back: {2}\S+, 2 resources\n/);
    expect(await present()).toBe(2);
  });

  test("the list tells what each holds, whether it knows the server, and which command saved it", async () => {
    const all = await saved();
    expect(all.slice(0, 4).map(({ resources, server }) => [resources, server])).toEqual([
      ...[
        [2, true],
        [1, false],
        [0, false],
        [2, false],
      ],
    ]);
    expect(all[0]?.savedBy).toBe("pgstack state save");
    const { stdout } = succeeded(await project.pgstack(["state", "list"]));
    expect(stdout).toMatch(/ 2 resources +knows the server +pgstack state save\n/);
    expect(stdout).toMatch(/ 1 resource +without the server +pgstack state save\n/);
  });

  test("a small one is brought back by its id alone, and said to be without the server", async () => {
    const small = (await saved()).find(({ server }) => !server)?.id ?? "";
    const restored = succeeded(await project.pgstack(["state", "restore", small, "--yes"]));
    expect(restored.stderr).toMatch(/brought back: {2}\S+, 1 resource, WITHOUT the server\n/);
  });
});

describe("an encrypted staging stack", () => {
  const settings = {
    ...{ environment: "staging", backup: true, backupEncryption: true, schemaVersion: "0001" },
    ...{ stopGraceSeconds: 120, ballastMegabytes: 0 },
  };
  let stack: LiveStack;

  beforeAll(async () => {
    stack = await LiveStack.bringUp(settings, async (project) => {
      await mkdir(join(project.directory, "migrations"));
      for (const [version, table] of [
        ["0001", "orders"],
        ["0002", "notes"],
      ]) {
        const file = join(project.directory, "migrations", `${version}_${table}`);
        await writeFile(`${file}.up.sql`, `CREATE TABLE ${table} (n int);`);
        await writeFile(`${file}.down.sql`, `DROP TABLE ${table};`);
      }
      return {};
    });
  });

  afterAll(() => stack?.project.remove());

  async function key(): Promise<string> {
    return succeeded(await stack.project.pgstack(["backups", "--show-key"])).stdout.trim();
  }

  /** As a promotion leaves the stack that brings 0002 and is killed when that is applied. */
  async function interruptPromotion(): Promise<Journal> {
    const { project: own } = stack;
    const before = await readFile(file(), "utf8");
    const applied = await queryAsSuperuser<{ name: string; checksum: string }>(
      stack.target,
      "SELECT name, checksum FROM pgstack_migrations.checksums ORDER BY name",
      { database: "app" },
    );
    const record = { from: "ci", commit: "1a2b3c", at: new Date().toISOString() };
    await own.configure({ ...settings, schemaVersion: "0002", promotion: record });
    const journal: Journal = {
      ...record,
      ...{ settings: before, settingsWritten: hashOfSettings(await readFile(file(), "utf8")) },
      ...{ schemaVersion: "0001", applying: true },
      schema: { wanted: "0002", applied, writes: { "public.orders": 0 } },
    };
    await writeJournal(own.directory, own.stack, journal);
    succeeded(await own.pgstack(["migrate", "up"]));
    await stack.write("INSERT INTO public.notes VALUES (1), (2); INSERT INTO public.orders VALUES (1)");
    return journal;
  }

  function file(): string {
    return join(stack.project.directory, `Pulumi.${stack.project.stack}.yaml`);
  }

  test("takes an interrupted promotion back with what was written since told, after a backup (A13)", async () => {
    const { project: own } = stack;
    const journal = await interruptPromotion();
    const back = succeeded(await own.pgstack(["promote", "ci", own.stack, "--put-back", "--yes"]));
    expect(back.stdout).toContain("Migrations that are taken back: 0002_notes.\n");
    expect(back.stdout).toContain("Table public.notes is there since then, with 2 rows.\n");
    expect(back.stdout).toMatch(/Table public\.orders was written to since then: \d+ rows?\.\n/);
    expect(await readFile(file(), "utf8")).toBe(journal.settings);
    expect(await stack.value("to_regclass('public.notes')")).toBeNull();
    expect(await stack.value("(SELECT count(*) FROM public.orders)")).toBe("1");
    const { entries } = await callAgent<Backups>(stack.target, "list");
    expect(entries.filter(({ label }) => label === "before put back")).toHaveLength(1);
    expect(await readJournal(own.directory, own.stack)).toBeUndefined();
  });

  test("ends an interrupted promotion by the up that completes it; nothing takes it back later (A13)", async () => {
    const { project: own } = stack;
    await interruptPromotion();
    const up = await stack.up();
    expect(up.output).toContain("was interrupted");
    expect(up.output).toContain("this up completes it");
    expect(await readJournal(own.directory, own.stack)).toBeUndefined();
    for (const words of [["--dry-run"], ["--yes"], []]) {
      const next = await own.pgstack(["promote", own.stack, own.stack, ...words]);
      expect(next.output).not.toMatch(/Putting stack|interrupted/);
    }
    expect(await stack.value("(SELECT count(*) FROM public.notes)")).toBe("2");
    Object.assign(settings, { schemaVersion: "0002" });
  });

  test("does not lose the key of its backups to a change of settings (D8)", async () => {
    const before = await key();
    const { project: own } = stack;
    const ways: (() => Promise<unknown>)[] = [
      () => own.configure({ ...settings, backupEncryption: false }),
      async () => {
        await own.configure(settings);
        const set = [
          "config",
          "set",
          "--secret",
          "pgstack:backupKey",
          "another-key-of-some-length-0123456789",
        ];
        succeeded(await own.pulumi(set));
      },
    ];
    for (const change of ways) {
      await change();
      const refused = await stack.project.up();
      expect(refused.code).not.toBe(0);
      expect(refused.output).toMatch(/the backups of stack \S+ open with the present key alone/);
    }
    await stack.change(settings);
    expect(await key()).toBe(before);
  });

  test("that was renamed is refused in one line that says what stands and the way out (D8)", async () => {
    const { project: own } = stack;
    const other = own.sibling("r");
    const rename = (from: string, to: string) => own.pulumi(["stack", "rename", to, "--stack", from]);
    succeeded(await rename(own.stack, other.stack));
    for (const ended of [await other.up(), await other.pulumi(["preview"])]) {
      expect(ended.code).not.toBe(0);
      expect(ended.output).toContain(
        `nothing was changed: stack ${other.stack} was brought up as ${own.stack} and renamed`,
      );
      expect(ended.output).toContain(`pulumi stack rename ${own.stack} --stack ${other.stack} gives it back`);
      expect(ended.output).not.toMatch(/[+~-] (create|update|replace|delete)/);
    }
    succeeded(await rename(other.stack, own.stack));
    succeeded(await own.pulumi(["preview", "--expect-no-changes"]));
  });

  test("is destroyed as documented, and the key of the backups that it leaves is still told (D8)", async () => {
    const before = await key();
    const destroyed = await stack.project.pulumi(["destroy", "--yes", "--skip-preview"]);
    expect(destroyed.code, destroyed.output).toBe(0);
    expect(await stack.project.things()).toMatchObject({ containers: [], networks: [] });
    expect(await key()).toBe(before);
  });
});
