import { existsSync } from "node:fs";
import { mkdir, readdir, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { beforeEach, describe, expect, test, vi } from "vitest";
import type { AgentConfiguration } from "../../agent/configuration.ts";
import { drill } from "../../agent/drill.ts";
import { verifyLogicalDeep } from "../../agent/logical/verify.ts";
import { OPERATIONS } from "../../agent/operations.ts";
import { verifyPhysicalDeep } from "../../agent/physical/verify.ts";
import { seedCluster } from "../../agent/restore/seed.ts";
import { readJournal } from "../../agent/restore/swap.ts";
import type { TableContent } from "../../agent/verification/tables.ts";
import { backupEntry } from "../support/backup-entry.ts";
import { temporaryFolder } from "../support/temporary-folder.ts";

/** What is found in whatever is restored. */
const restored = vi.hoisted(() => ({
  problems: [] as string[],
  damage: [] as string[],
  tables: [] as TableContent[],
}));

vi.mock("../../agent/restore/prepare.ts", () => ({
  prepareCluster: async (_configuration: unknown, { directory }: { directory: string }) => {
    await mkdir(directory, { recursive: true });
    await writeFile(join(directory, "postgresql.auto.conf"), "work_mem = '1MB'\n");
    return { backup: "F", problems: restored.problems, warnings: [], secondsToFirstQuery: 1, lsn: "0/1" };
  },
}));
vi.mock("../../agent/logical/restored-dump.ts", () => ({
  withRestoredDump: async (_1: unknown, _2: unknown, _3: unknown, work: (...all: unknown[]) => unknown) =>
    work({}, {}),
}));
vi.mock("../../agent/restore/cluster.ts", async (original) => ({
  ...(await original<typeof import("../../agent/restore/cluster.ts")>()),
  amcheck: async () => restored.damage,
}));
vi.mock("../../agent/verification/checks.ts", () => ({
  checkDatabase: async () => ({ problems: restored.problems, warnings: [] }),
}));
vi.mock("../../agent/verification/tables.ts", async (original) => ({
  ...(await original<typeof import("../../agent/verification/tables.ts")>()),
  tableContents: async () => restored.tables,
}));

const CONTEXT = { signal: new AbortController().signal, step: () => {} };
const TARGET = { type: "backup", id: "F" } as const;

let configuration: AgentConfiguration;

beforeEach(async () => {
  const folder = await temporaryFolder();
  Object.assign(restored, { problems: [], damage: [], tables: [] });
  configuration = {
    ...{ format: 1, stack: "dev", database: "app", port: 5432, socketDirectory: join(folder, "none") },
    ...{ dataDirectory: join(folder, "data", "current"), backupDirectory: join(folder, "backups") },
    scratchDirectory: join(folder, "scratch"),
    physical: { stanza: "main", configurationFile: "none", repositories: ["local"] },
    verification: { coreTables: [], sql: [] },
  } as unknown as AgentConfiguration;
  for (const path of ["data", "backups", "scratch"]) await mkdir(join(folder, path));
});

describe("what a restored cluster fails of its checks is not passed over [L2]", () => {
  test("a restore in place keeps it for a decision", async () => {
    const prepare = (id: string) =>
      OPERATIONS.get("restore-prepare")?.(configuration, { id, target: TARGET }, CONTEXT);
    restored.problems = ["public.orders is missing"];
    await prepare("r");
    expect(await readJournal(configuration)).toMatchObject({ phase: "failed verification" });
    restored.problems = [];
    await prepare("s");
    expect(await readJournal(configuration)).toMatchObject({ phase: "prepared" });
  });

  test("a new stack is not made of it without a reason", async () => {
    restored.problems = ["public.orders is missing"];
    await expect(seedCluster(configuration, TARGET, false, CONTEXT)).rejects.toThrow(
      /^what was restored failed verification: public\.orders is missing; /,
    );
    expect(await readdir(join(configuration.dataDirectory, ".."))).toEqual([]);
    await seedCluster(configuration, TARGET, true, CONTEXT);
    expect(await readFile(join(configuration.dataDirectory, "postgresql.auto.conf"), "utf8")).toBe(
      "work_mem = '1MB'\n",
    );
  });

  test("a drill fails", async () => {
    restored.problems = ["public.orders is missing"];
    expect(await drill(configuration, CONTEXT)).toMatchObject({
      result: "failed",
      message: "what was restored failed verification: public.orders is missing",
    });
    expect(existsSync(join(configuration.backupDirectory, "metadata.json"))).toBe(false);
  });

  test("a physical backup is not good", async () => {
    restored.problems = ["public.orders is missing"];
    const entry = backupEntry("2026-11-01T02:00:00.000Z", { id: "F", kind: "full" });
    expect(await verifyPhysicalDeep(configuration, entry, CONTEXT)).toEqual({
      problems: ["public.orders is missing"],
      warnings: [],
    });
    expect(await readdir(configuration.scratchDirectory)).toEqual([]);
  });
});

describe("a dump that is verified in full [L2]", () => {
  async function problems(tables: readonly TableContent[]): Promise<readonly string[]> {
    const folder = join(configuration.backupDirectory, "logical", "d");
    await mkdir(folder, { recursive: true });
    const manifest = { format: 1, entry: {}, database: "app", files: [], tables, findings: [] };
    await writeFile(join(folder, "backup.json"), JSON.stringify(manifest));
    return (await verifyLogicalDeep(configuration, "d", CONTEXT)).problems;
  }

  test("is compared with what its source held", async () => {
    restored.tables = [{ table: "public.orders", rows: 2 }];
    expect(await problems([{ table: "public.orders", rows: 2 }])).toEqual([]);
    expect(await problems([{ table: "public.orders", rows: 3 }])).toEqual([
      "public.orders has 2 rows and should have 3",
    ]);
  });

  test("is looked through for damage and by the stack's own checks", async () => {
    restored.damage = ["index orders_pkey is out of order"];
    expect(await problems([])).toEqual(["index orders_pkey is out of order"]);
    restored.problems = ["sql/verify.sql: answer 1 is f and not true"];
    expect(await problems([])).toEqual([...restored.problems, ...restored.damage]);
  });
});
