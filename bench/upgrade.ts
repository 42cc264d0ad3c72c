import { mkdir, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import type { Method } from "../agent/upgrade/state.ts";
import { agentContainer } from "../operations/agent.ts";
import { imageOfMajor } from "../test/support/image.ts";
import { TestProject } from "../test/support/project.ts";
import { fillDatabase, ROOMY, shell } from "./pgbench.ts";
import { secondsOf } from "./stopwatch.ts";

const project = await TestProject.create({
  ...ROOMY,
  serverSettings: { ...ROOMY.serverSettings, wal_level: "logical" },
});

for (const suffix of ["-rehearsal", "-rehearsal-new"]) project.sibling(suffix);
const agent = { ...project.target, container: agentContainer(project.target.container) };
const lines: string[] = [];
try {
  const image = await imageOfMajor(18);
  const up = await project.up();
  if (up.code !== 0) throw new Error(up.output);
  const size = await fillDatabase(project.target);
  lines.push(`pgbench database of ${size} from PostgreSQL 16 to 18: a clone, there and back again`, "");
  for (const method of ["dump", "logical"] as const) await rehearse(method, image);
  await bare();
} finally {
  await project.remove();
}
const text = lines.join("\n");
console.log(text);
const output = join(import.meta.dirname, "output");
await mkdir(output, { recursive: true });
await writeFile(join(output, "upgrade.txt"), `${text}\n`);

async function rehearse(method: Method, image: string): Promise<void> {
  console.error(`upgrade by ${method}`);
  const words = ["upgrade", "--rehearse", "--image", image, "--method", method];
  const ended = await project.pgstack(words);
  if (ended.code !== 0) throw new Error(ended.output);
  const file = join(project.directory, ".pgstack", "stacks", project.stack, "upgrade-rehearsal.json");
  const found: { downtimeSeconds: number; seconds: number } = JSON.parse(await readFile(file, "utf8"));
  lines.push(
    `${found.downtimeSeconds.toFixed(2).padStart(7)}  closed, by ${method} (copied, analyzed, compared, way back laid); the whole rehearsal took ${found.seconds.toFixed(0)} s`,
  );
}

/** The tools alone, on the same database: what nobody compares, analyzes or brings back. */
async function bare(): Promise<void> {
  console.error("pg_dump and pg_restore alone");
  const script =
    "rm -rf /scratch/bare && pg_dump -Fd -j 2 --compress=gzip:1 -f /scratch/bare app && createdb bare && pg_restore -j 2 -d bare /scratch/bare && dropdb bare && rm -rf /scratch/bare";
  const seconds = await secondsOf(async () => void (await shell(agent, script)));
  lines.push(`${seconds.toFixed(2).padStart(7)}  pg_dump -Fd -j 2 and pg_restore -j 2 alone, on one server`);
}
