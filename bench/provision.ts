import { mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { ComposePeer } from "./compose.ts";
import { StackSide } from "./stack.ts";
import { median, secondsOf, spread } from "./stopwatch.ts";

const PAIRS = 5;
const STEPS = ["first up", "up again", "preview", "tear down"] as const;
type Step = (typeof STEPS)[number];

const image = required("PGSTACK_IMAGE");
const program = required("BENCH_COMPOSE");
const parameters = { max_connections: 100, shared_buffers: "64MB" };
const initSql =
  "create table bench (id int primary key, note text);\ninsert into bench select g, 'n' || g from generate_series(1, 1000) g;\n";

const ours = times();
const theirs = times();
for (let pair = 1; pair <= PAIRS; pair += 1) {
  console.error(`pair ${pair} of ${PAIRS}`);
  await measureStack();
  await measurePeer();
}
const phases = await measureBreakdown();
const text = report(phases);
console.log(text);
const output = join(import.meta.dirname, "output");
await mkdir(output, { recursive: true });
await writeFile(join(output, "provision.txt"), `${text}\n`);

async function measureStack(): Promise<void> {
  const side = await StackSide.create({ maxConnections: 100 }, initSql);
  try {
    ours["first up"].push(await secondsOf(() => side.up()));
    ours["up again"].push(await secondsOf(() => side.up()));
    ours.preview.push(await secondsOf(() => side.preview()));
    ours["tear down"].push(await secondsOf(() => side.down()));
  } finally {
    await side.remove();
  }
}

async function measurePeer(): Promise<void> {
  const peer = await ComposePeer.create({ program, image, parameters, initSql });
  try {
    theirs["first up"].push(await secondsOf(() => peer.up()));
    theirs["up again"].push(await secondsOf(() => peer.up()));
    theirs["tear down"].push(await secondsOf(() => peer.down()));
  } finally {
    await peer.remove();
  }
}

async function measureBreakdown() {
  const side = await StackSide.create({ maxConnections: 100 }, initSql);
  try {
    const up = await side.breakdown(["up", "--yes", "--skip-preview"]);
    const preview = await side.breakdown(["preview"]);
    return { up, preview };
  } finally {
    await side.remove();
  }
}

function report({ up, preview }: Awaited<ReturnType<typeof measureBreakdown>>): string {
  const lines = [
    `${PAIRS} pairs in turn, seconds: least, middle, greatest; ratio of each pair, middle`,
    "",
    `${"".padEnd(12)} ${"this stack".padEnd(24)} ${"docker compose".padEnd(24)} ratio`,
  ];
  for (const step of STEPS) {
    const [our, their] = [ours[step], theirs[step]];
    const ratio =
      their.length === 0
        ? ""
        : median(our.map((value, index) => value / (their[index] ?? Number.NaN))).toFixed(2);
    lines.push(
      `${step.padEnd(12)} ${spread(our).padEnd(24)} ${(their.length === 0 ? "" : spread(their)).padEnd(24)} ${ratio}`,
    );
  }
  for (const [name, phases] of [
    ["first up", up],
    ["preview without changes", preview],
  ] as const) {
    lines.push("", `where the time of a ${name} goes, seconds (resources overlap)`);
    for (const phase of phases) lines.push(`${phase.seconds.toFixed(2).padStart(7)}  ${phase.name}`);
  }
  return lines.join("\n");
}

function times(): Record<Step, number[]> {
  return { "first up": [], "up again": [], preview: [], "tear down": [] };
}

function required(name: string): string {
  const value = process.env[name];
  if (value === undefined || value === "") throw new Error(`${name} is not set: run this by npm run bench`);
  return value;
}
