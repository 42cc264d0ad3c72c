import {
  changingSteps,
  describeStep,
  nameOf,
  type PreviewStep,
  type StepDescription,
  typeOf,
} from "../pulumi-preview.ts";

/** How bad a change may be, the worst first. */
export const WEIGHTS = ["data at risk", "deletion", "replacement", "change"] as const;
export type Weight = (typeof WEIGHTS)[number];

/** One resource that a change touches. */
export interface Change extends StepDescription {
  readonly weight: Weight;
  /** Clients lose their connections. */
  readonly interrupts: boolean;
}

const VOLUME = "docker:index/volume:Volume";
/** Without it a backup cannot be read. */
const KEY = /^backup-files-key$/;
/** The server's container, by the component that makes it. */
const SERVER = /pgstack:index:Server\$docker:index\/container:Container$/;

/** What changes, the worst first. */
export function changesOf(steps: readonly PreviewStep[]): Change[] {
  return changingSteps(steps)
    .map((step) => ({
      ...describeStep(step),
      weight: weightOf(step),
      interrupts: SERVER.test(step.urn.split("::").at(-2) ?? "") && step.op !== "create",
    }))
    .sort((one, other) => WEIGHTS.indexOf(one.weight) - WEIGHTS.indexOf(other.weight));
}

function weightOf({ op, urn }: PreviewStep): Weight {
  const [type, name] = [typeOf(urn), nameOf(urn)];
  const goes = op === "delete" || op === "replace";
  if (goes && ((type === VOLUME && !name.endsWith("-configuration")) || KEY.test(name)))
    return "data at risk";
  if (op === "delete") return "deletion";
  return op === "replace" ? "replacement" : "change";
}

/** A finding of a policy. */
export interface Finding {
  readonly level: string;
  readonly rule: string;
  readonly resource: string;
  readonly message: string;
}

/** What the policies found, from the text of a preview. */
export function findingsIn(text: string): Finding[] {
  const section = /^Policies:\n((?: .*\n|\n)*)/m.exec(text)?.[1] ?? "";
  const found: Finding[] = [];
  for (const line of section.split("\n")) {
    const [, level, rule, resource] = /^\s+- \[(\w+)\]\s+(\S+)\s+\(.*: (.*)\)$/.exec(line) ?? [];
    if (level !== undefined && rule !== undefined && resource !== undefined) {
      found.push({ level, rule, resource, message: "" });
      continue;
    }
    const last = found.pop();
    if (last !== undefined) found.push({ ...last, message: `${last.message} ${line.trim()}`.trim() });
  }
  return found;
}

/** Why a preview failed, from its text. */
export function errorsIn(text: string): string[] {
  const errors = [...text.matchAll(/^\s*error: (.*)$/gm)].map(([, message = ""]) => message);
  return [...new Set(errors)].filter((message) => !/^(preview|update) failed$/.test(message));
}
