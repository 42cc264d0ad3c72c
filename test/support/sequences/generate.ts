import { SeededRandom } from "./random.ts";
import { KINDS, LOSSES, type Place, STAGES, type Step, VICTIMS } from "./step.ts";

/** Seeds go from 1 to this number in a whole run. */
export const SEEDS = 200;

const FEWEST_STEPS = 5;
const MOST_STEPS = 12;
const MOST_ROWS = 40;
/** Each is some seconds, and keeps a cluster in the data volume. */
const MOST_RESTORES = 3;

/** The kinds of steps, each as often as it is to come. */
const TYPES: readonly Step["type"][] = [
  ...(["write", "write", "write", "write", "write"] as const),
  ...(["kill", "kill"] as const),
  ...(["backup", "backup"] as const),
  ...(["restore", "restore"] as const),
  ...(["lose", "drill", "fill", "forget"] as const),
];

/** The sequence of a seed: always the same, at least one restore in it, and rows that it could lose or leave. */
export function generateSequence(seed: number): Step[] {
  const random = new SeededRandom(seed);
  const steps: Step[] = [{ type: "write", rows: random.integer(1, MOST_ROWS) }];
  const wanted = random.integer(FEWEST_STEPS, MOST_STEPS);
  while (steps.length < wanted - 1) steps.push(anyStep(random, steps));
  steps.push(restores(steps) === 0 ? endOf(random, steps) : anyStep(random, steps));
  return steps;
}

function anyStep(random: SeededRandom, before: readonly Step[]): Step {
  const type = random.pick(TYPES);
  const leads = type === "restore" || type === "lose";
  if (leads && restores(before) === MOST_RESTORES) return write(random);
  switch (type) {
    case "write":
      return write(random);
    case "kill": {
      const victim = random.pick(VICTIMS);
      return { type, victim, away: victim === "agent" ? random.integer(0, MOST_ROWS) : 0 };
    }
    case "backup":
      return { type, kind: random.pick(KINDS), during: random.pick(["nothing", "writing", "killed"]) };
    case "restore": {
      const to = place(random, before);
      return { type, to, ...(random.percent(20) ? { killed: random.integer(1, STAGES.length) } : {}) };
    }
    case "lose":
      return loss(random, before);
    default:
      return { type };
  }
}

function endOf(random: SeededRandom, before: readonly Step[]): Step {
  return random.percent(50) ? loss(random, before) : { type: "restore", to: place(random, before) };
}

function write(random: SeededRandom): Step {
  const killing = random.percent(25) ? { killing: random.pick(VICTIMS) } : {};
  return { type: "write", rows: random.integer(1, MOST_ROWS), ...killing };
}

/** What was lost is mostly wanted back; recovery to a moment needs a commit behind it, which is one of the rows. */
function loss(random: SeededRandom, before: readonly Step[]): Step {
  const rows = random.integer(1, MOST_ROWS);
  const what = random.pick(LOSSES);
  const elsewhere = random.percent(25);
  const to = elsewhere ? place(random, before) : ({ type: "latest" } as const);
  // A dump is not restored without a server.
  const leadsNowhere = to.type === "backup" && isDump(before, to.step);
  const settled = to.type === "time" || random.percent(50);
  return { type: "lose", rows, settled, what, to: leadsNowhere ? { type: "latest" } : to };
}

function place(random: SeededRandom, before: readonly Step[]): Place {
  const backups = before.flatMap((step, index) =>
    step.type === "backup" && step.during !== "killed" ? [index + 1] : [],
  );
  const type = random.pick(["latest", "time", "time", "backup"] as const);
  if (type === "latest") return { type };
  if (type === "backup" && backups.length > 0) return { type, step: random.pick(backups) };
  return { type: "time", step: random.integer(0, before.length) };
}

function isDump(steps: readonly Step[], number: number): boolean {
  const step = steps[number - 1];
  return step?.type === "backup" && step.kind === "logical";
}

function restores(steps: readonly Step[]): number {
  return steps.filter(({ type }) => type === "restore" || type === "lose").length;
}
