import { mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { untilFirstBackup } from "../test/support/first-backup.ts";
import { TestProject } from "../test/support/project.ts";
import { measureBytes } from "./wear/bytes.ts";
import { measureHostKill } from "./wear/host-kill.ts";
import { measureIdle } from "./wear/idle.ts";
import { measureMillion } from "./wear/million.ts";
import { simulateYear } from "./wear/year.ts";

/** What the log and its archive cost a stack that is up for long, and what the loss of its host costs. */
const PARTS = {
  idle: async (backedUp: TestProject) => await measureIdle(backedUp.target),
  bytes: async (backedUp: TestProject) => await besidePlain((plain) => measureBytes(backedUp.target, plain)),
  year: async (backedUp: TestProject) => await simulateYear(backedUp.target),
  "host-kill": async (backedUp: TestProject) => await measureHostKill(backedUp),
  million: async (backedUp: TestProject) => await measureMillion(backedUp),
} as const;

// PGSTACK_BENCH_PARTS: some of them, by their names with commas between.
const wanted = process.env["PGSTACK_BENCH_PARTS"]?.split(",") ?? Object.keys(PARTS);
const project = await TestProject.create({ backup: true });
const lines: string[] = [];
try {
  await bringUp(project);
  await untilFirstBackup(project.target);
  for (const [name, measure] of Object.entries(PARTS)) {
    if (!wanted.includes(name)) continue;
    console.error(name);
    const found = await measure(project);
    console.log(found.join("\n"));
    lines.push(...found, "");
  }
} finally {
  await project.remove();
}
const output = join(import.meta.dirname, "output");
await mkdir(output, { recursive: true });
await writeFile(join(output, "wear.txt"), lines.join("\n"));

/** The same stack without backups: PostgreSQL with archiving off. */
async function besidePlain<Result>(work: (plain: TestProject["target"]) => Promise<Result>): Promise<Result> {
  const plain = await TestProject.create({ backup: false });
  try {
    await bringUp(plain);
    return await work(plain.target);
  } finally {
    await plain.remove();
  }
}

async function bringUp(side: TestProject): Promise<void> {
  const ended = await side.up();
  if (ended.code !== 0) throw new Error(ended.output);
}
