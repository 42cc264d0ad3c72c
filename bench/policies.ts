import { mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { POLICIES } from "../toolchain/directories.mjs";
import { StackSide } from "./stack.ts";
import { median, secondsOf, spread } from "./stopwatch.ts";

const PAIRS = 9;

const without: number[] = [];
const held: number[] = [];
const side = await StackSide.create({ maxConnections: 100 });
try {
  await side.up();
  for (let pair = 1; pair <= PAIRS; pair += 1) {
    console.error(`pair ${pair} of ${PAIRS}`);
    without.push(await secondsOf(() => side.preview()));
    held.push(await secondsOf(() => side.preview(POLICIES)));
  }
} finally {
  await side.remove();
}
const added = held.map((value, index) => value - (without[index] ?? Number.NaN));
const text = [
  `a preview without changes, ${PAIRS} pairs in turn, seconds: least, middle, greatest`,
  "",
  `without policies   ${spread(without)}`,
  `with policies      ${spread(held)}`,
  `added by them      ${spread(added)}   (aim: less than 1.00; middle ${median(added).toFixed(2)})`,
].join("\n");
console.log(text);
const output = join(import.meta.dirname, "output");
await mkdir(output, { recursive: true });
await writeFile(join(output, "policies.txt"), `${text}\n`);
