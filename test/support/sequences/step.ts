/** What is killed. */
export const VICTIMS = ["server", "agent", "both"] as const;
export type Victim = (typeof VICTIMS)[number];

/** Kinds of backups, as `pgstack backup --kind` has them. */
export const KINDS = ["logical", "full", "diff", "incr"] as const;
export type Kind = (typeof KINDS)[number];

/**
 * What is lost: files of the cluster that no server starts without (`data`), also with the agent killed in the same moment (`host`),
 * or with everything else in the data volume (`volume`), where both may start again before anybody restores (`disk`).
 */
export const LOSSES = ["data", "host", "volume", "disk"] as const;
export type Loss = (typeof LOSSES)[number];

/** Where a restore leads to. Numbers are those of steps, from 1 on; the moment 0 is the one before the first step. */
export type Place =
  /** Everything that was committed. */
  | { readonly type: "latest" }
  /** The moment after a step. */
  | { readonly type: "time"; readonly step: number }
  /** The backup that a step took. */
  | { readonly type: "backup"; readonly step: number };

/** One step of a sequence. */
export type Step =
  /** Rows, each committed by itself; `killing`: in the middle of them. */
  | { readonly type: "write"; readonly rows: number; readonly killing?: Victim }
  /** `away`: rows that are written before the agent is started again. */
  | { readonly type: "kill"; readonly victim: Victim; readonly away: number }
  /** `writing`: rows are committed meanwhile. `killed`: so is the agent. */
  | { readonly type: "backup"; readonly kind: Kind; readonly during: "nothing" | "writing" | "killed" }
  | { readonly type: "drill" }
  /** `killed`: the command, at that of its stages; it is resumed then. */
  | { readonly type: "restore"; readonly to: Place; readonly killed?: number }
  /**
   * Rows are written, the data is lost, and a restore follows. `settled`: not before all that was committed is in the backup
   * place.
   */
  | {
      readonly type: "lose";
      readonly rows: number;
      readonly settled: boolean;
      readonly what: Loss;
      readonly to: Place;
    }
  /** The data volume is filled until the server ends, and gets its room back. */
  | { readonly type: "fill" }
  /** What restores have kept is removed. */
  | { readonly type: "forget" };

/** What `pgstack restore` says at the stages that it may be killed at; their numbers are those of {@link Step}, from 1 on. */
export const STAGES = [
  "backing up the present state",
  "restoring backup",
  "replaying the write-ahead log",
  "checking what was restored",
  "stopping the server",
  "starting the restored server",
] as const;

/** A sequence in words, which {@link parseSequence} reads: what fails is shortened and run again by hand. */
export function formatSequence(steps: readonly Step[]): string {
  return steps.map(formatStep).join("; ");
}

/** @throws Error naming what is no step. */
export function parseSequence(text: string): Step[] {
  return text
    .split(";")
    .map((words) => words.trim())
    .filter((words) => words !== "")
    .map(parseStep);
}

/** One step in words. */
export function formatStep(step: Step): string {
  switch (step.type) {
    case "write":
      return `write ${step.rows}${step.killing === undefined ? "" : ` killing ${step.killing}`}`;
    case "kill":
      return `kill ${step.victim}${step.away === 0 ? "" : ` for ${step.away} rows`}`;
    case "backup":
      return `backup ${step.kind}${step.during === "nothing" ? "" : ` ${step.during}`}`;
    case "restore":
      return `restore ${formatPlace(step.to)}${step.killed === undefined ? "" : ` killed at ${step.killed}`}`;
    case "lose":
      return `write ${step.rows}${step.settled ? " settled" : ""} lose ${step.what} restore ${formatPlace(step.to)}`;
    default:
      return step.type;
  }
}

function formatPlace(place: Place): string {
  return place.type === "latest" ? "latest" : `${place.type} ${place.step}`;
}

function parseStep(words: string): Step {
  const found = PATTERNS.flatMap(({ pattern, read }) => {
    const { groups } = pattern.exec(words) ?? {};
    return groups === undefined ? [] : [read(groups)];
  });
  const [step] = found;
  if (step === undefined) throw new Error(`${JSON.stringify(words)} is no step of a sequence`);
  return step;
}

type Groups = Readonly<Record<string, string | undefined>>;

const PLACE = String.raw`(?<place>latest|(?:time|backup) \d+)`;
const VICTIM = VICTIMS.join("|");

const PATTERNS: readonly { readonly pattern: RegExp; readonly read: (groups: Groups) => Step }[] = [
  {
    pattern: new RegExp(`^write (?<rows>\\d+)(?: killing (?<victim>${VICTIM}))?$`),
    read: ({ rows, victim }) => ({
      type: "write",
      rows: Number(rows),
      ...(victim === undefined ? {} : { killing: victim as Victim }),
    }),
  },
  {
    pattern: new RegExp(`^kill (?<victim>${VICTIM})(?: for (?<away>\\d+) rows)?$`),
    read: ({ victim, away = "0" }) => ({ type: "kill", victim: victim as Victim, away: Number(away) }),
  },
  {
    pattern: new RegExp(`^backup (?<kind>${KINDS.join("|")})(?: (?<during>writing|killed))?$`),
    read: ({ kind, during = "nothing" }) => ({
      type: "backup",
      kind: kind as Kind,
      during: during as "nothing" | "writing" | "killed",
    }),
  },
  {
    pattern: new RegExp(`^restore ${PLACE}(?: killed at (?<stage>[1-${STAGES.length}]))?$`),
    read: ({ place, stage }) => ({
      type: "restore",
      to: parsePlace(place),
      ...(stage === undefined ? {} : { killed: Number(stage) }),
    }),
  },
  {
    pattern: new RegExp(
      `^write (?<rows>\\d+)(?<settled> settled)? lose (?<what>${LOSSES.join("|")}) restore ${PLACE}$`,
    ),
    read: ({ rows, settled, what, place }) => ({
      type: "lose",
      rows: Number(rows),
      settled: settled !== undefined,
      what: what as Loss,
      to: parsePlace(place),
    }),
  },
  {
    pattern: /^(?<type>drill|fill|forget)$/,
    read: ({ type }) => ({ type: type as "drill" | "fill" | "forget" }),
  },
];

function parsePlace(text = "latest"): Place {
  const [type = "", step = ""] = text.split(" ");
  return type === "latest" ? { type } : { type: type as "time" | "backup", step: Number(step) };
}
