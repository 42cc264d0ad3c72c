import { readFileSync } from "node:fs";

/** A finding that is accepted for a while. */
export interface Exception {
  /** Name of the rule. */
  readonly rule: string;
  readonly stack: string;
  /** Name of the resource; absent: every one. */
  readonly resource?: string;
  readonly reason: string;
  /** Day on which it ends, `YYYY-MM-DD`, UTC. */
  readonly until: string;
}

const FILE = new URL("./exceptions.json", import.meta.url);
/** Nobody remembers longer why. */
const MOST_DAYS = 90;
const DAY = 86_400_000;

/** What the file with the exceptions says. */
export interface Exceptions {
  readonly list: readonly Exception[];
  /** What in it is no exception at all, a line each. */
  readonly problems: readonly string[];
}

const NEEDED = ["rule", "stack", "reason", "until"] as const;
const KEYS: readonly string[] = [...NEEDED, "resource"];

/** The exceptions in `policies/exceptions.json`. */
export function readExceptions(): Exceptions {
  return parseExceptions(readFileSync(FILE, "utf8"));
}

/** What is no exception is told for every stack, as nobody can say which one was meant. */
export function parseExceptions(text: string): Exceptions {
  const wrong = (problem: string): Exceptions => ({
    list: [],
    problems: [`policies/exceptions.json: ${problem}`],
  });
  let found: unknown;
  try {
    found = JSON.parse(text);
  } catch (error) {
    return wrong(`it is no JSON: ${error instanceof Error ? error.message : error}`);
  }
  if (!Array.isArray(found)) return wrong("it must be a list");
  const looked = found.map((one: unknown, index) => ({ one, problem: shapeProblem(one), number: index + 1 }));
  return {
    list: looked.filter(({ problem }) => problem === undefined).map(({ one }) => one as Exception),
    problems: looked
      .filter(({ problem }) => problem !== undefined)
      .map(({ problem, number }) => `policies/exceptions.json, number ${number}: ${problem}`),
  };
}

function shapeProblem(one: unknown): string | undefined {
  if (typeof one !== "object" || one === null || Array.isArray(one)) return "it must be a map";
  const given = new Map<string, unknown>(Object.entries(one));
  const unknown = [...given.keys()].find((key) => !KEYS.includes(key));
  if (unknown !== undefined) return `there is no key ${unknown}: ${KEYS.join(", ")} are right`;
  const missing = NEEDED.find((key) => typeof given.get(key) !== "string");
  return missing === undefined ? undefined : `it needs a text as ${missing}`;
}

/** Whether a finding is accepted. */
export function isAccepted(
  finding: { readonly rule: string; readonly stack: string; readonly resource: string },
  exceptions: readonly Exception[],
  now: Date,
): boolean {
  return exceptions.some(
    (one) =>
      one.rule === finding.rule &&
      one.stack === finding.stack &&
      (one.resource === undefined || one.resource === finding.resource) &&
      endOf(one) > now.getTime() &&
      problemOf(one, new Set([one.rule]), now) === undefined,
  );
}

/** Rules whose findings about a stack are accepted, whatever the resource: its settings go by them. */
export function acceptedRules(stack: string, now: Date): ReadonlySet<string> {
  const own = readExceptions().list.filter((one) => one.stack === stack && one.resource === undefined);
  return new Set(
    own.map(({ rule }) => rule).filter((rule) => isAccepted({ rule, stack, resource: "" }, own, now)),
  );
}

/** What is wrong with the exceptions of a stack, a line each: an expired one does not stay silently. */
export function exceptionProblems(
  { list, problems }: Exceptions,
  rules: ReadonlySet<string>,
  stack: string,
  now: Date,
): string[] {
  const own = list
    .filter((one) => one.stack === stack)
    .flatMap((one) => {
      const problem = problemOf(one, rules, now);
      return problem === undefined ? [] : [`policies/exceptions.json, ${one.rule}: ${problem}`];
    });
  return [...problems, ...own];
}

function problemOf(one: Exception, rules: ReadonlySet<string>, now: Date): string | undefined {
  if (!rules.has(one.rule)) return "there is no such rule";
  if (one.reason.trim() === "") return "it gives no reason";
  const end = endOf(one);
  if (!/^\d{4}-\d{2}-\d{2}$/.test(one.until) || Number.isNaN(end))
    return `until is "${one.until}": a day such as 2026-03-01 is right`;
  if (end <= now.getTime()) return `it has expired on ${one.until}: mend the finding, or give it a new day`;
  return end - now.getTime() > (MOST_DAYS + 1) * DAY ? `it lasts more than ${MOST_DAYS} days` : undefined;
}

/** The end of its day. */
function endOf({ until }: Exception): number {
  return Date.parse(`${until}T00:00:00Z`) + DAY;
}
