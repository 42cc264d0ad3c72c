import { execFileSync } from "node:child_process";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { PROJECT_DIRECTORY } from "../../toolchain/directories.mjs";
import { generateSequence, SEEDS } from "../support/sequences/generate.ts";
import { runSequence } from "../support/sequences/run.ts";
import { formatSequence, parseSequence, type Step } from "../support/sequences/step.ts";
import { Subject } from "../support/sequences/subject.ts";

/** Without a word of the caller's no sequence begins after that long. */
const MINUTES = 6;
/** One with three restores, on a machine that has much else to do. */
const LONGEST_SEQUENCE_MILLISECONDS = 900_000;
const HOURS = 3_600_000;

/** What has failed once: one of them comes first. */
const FOUND = [
  "write 5; write 9 settled lose volume restore latest; write 3",
  "write 5; backup full; write 7 lose disk restore latest; write 3; restore time 1",
];

/** What is run: by hand one seed, one sequence or so many, else what there is time for, from commit to commit another part. */
const { SEED, SEQUENCE, SEQUENCES } = process.env;

interface Work {
  readonly name: string;
  readonly steps: readonly Step[];
}

let subject: Subject | undefined;

beforeAll(async () => {
  subject = await Subject.bringUp();
});

afterAll(() => subject?.remove());

describe("the ledger of acknowledged commits", () => {
  test("holds over sequences of writes, kills, restores, drills, backups and full disks: no row is lost, none is wrongly there", {
    timeout: MINUTES * 60_000 + LONGEST_SEQUENCE_MILLISECONDS + (SEQUENCES === undefined ? 0 : 24 * HOURS),
  }, async () => {
    const failures: string[] = [];
    const held: string[] = [];
    const began = performance.now();
    const isTimeUp = () =>
      [SEED, SEQUENCE, SEQUENCES].every((word) => word === undefined) &&
      performance.now() - began > MINUTES * 60_000;
    for (const { name, steps } of work()) {
      if (isTimeUp()) break;
      const started = performance.now();
      try {
        subject ??= await Subject.bringUp();
        await runSequence(subject, steps);
        held.push(name);
        console.log(`${name}: held (${seconds(started)} s): ${formatSequence(steps)}`);
      } catch (error) {
        failures.push(`${name}: ${error instanceof Error ? error.message : error}`);
        console.log(`${name}: failed (${seconds(started)} s): ${formatSequence(steps)}\n${failures.at(-1)}`);
        // What a sequence has broken is not for the next one.
        await subject?.remove();
        subject = undefined;
      }
    }
    console.log(`${held.length} sequences held, ${failures.length} failed: ${held.join(", ")}`);
    expect(failures).toEqual([]);
    expect(held.length).toBeGreaterThan(0);
    const health = await subject?.try(["health", "--full"]);
    expect(health?.code, health?.output).toBe(0);
  });
});

function work(): Work[] {
  if (SEQUENCE !== undefined) return [{ name: "SEQUENCE", steps: parseSequence(SEQUENCE) }];
  if (SEED !== undefined) return [ofSeed(Number(SEED))];
  const count = SEQUENCES === undefined ? SEEDS : Number(SEQUENCES);
  const first = SEQUENCES === undefined ? byCommit() : 0;
  const seeds = Array.from({ length: count }, (_, index) => ofSeed(((first + index) % SEEDS) + 1));
  if (SEQUENCES !== undefined) return seeds;
  const text = FOUND[first % FOUND.length] ?? "";
  return [{ name: `SEQUENCE=${text}`, steps: parseSequence(text) }, ...seeds];
}

function ofSeed(seed: number): Work {
  return { name: `SEED=${seed}`, steps: generateSequence(seed) };
}

/** Where to begin differs from commit to commit, so that each sequence has its turn. */
function byCommit(): number {
  const commit = execFileSync("git", ["rev-parse", "HEAD"], { cwd: PROJECT_DIRECTORY, encoding: "utf8" });
  return Number.parseInt(commit.slice(0, 8), 16) % SEEDS;
}

function seconds(since: number): string {
  return ((performance.now() - since) / 1_000).toFixed(0);
}
