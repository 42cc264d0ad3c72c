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

/** The exceptions in `policies/exceptions.json`; anything but a list is told by {@link exceptionProblems}. */
export function readExceptions(): readonly Exception[] {
  const found: unknown = JSON.parse(readFileSync(FILE, "utf8"));
  return Array.isArray(found) ? (found as Exception[]) : [];
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

/** What is wrong with the exceptions of a stack, a line each: an expired one does not stay silently. */
export function exceptionProblems(
  exceptions: readonly Exception[],
  rules: ReadonlySet<string>,
  stack: string,
  now: Date,
): string[] {
  return exceptions
    .filter((one) => one.stack === stack)
    .flatMap((one) => {
      const problem = problemOf(one, rules, now);
      return problem === undefined ? [] : [`policies/exceptions.json, ${one.rule}: ${problem}`];
    });
}

function problemOf(one: Exception, rules: ReadonlySet<string>, now: Date): string | undefined {
  if (!rules.has(one.rule)) return "there is no such rule";
  if (typeof one.reason !== "string" || one.reason.trim() === "") return "it gives no reason";
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
