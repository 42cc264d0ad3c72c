import type { Combination } from "../combination.ts";
import { bytesOf, isMemorySize } from "../memory-size.ts";
import { mismatch, type Problem } from "../problem.ts";

/** Names before and after Warn and Fail, for values that rise and for values that fall towards trouble. */
const RISING = [
  ["connections", "Percent"],
  ["replicationLag", "Seconds"],
  ["retainedWal", "Size"],
  ["archiveLag", "Seconds"],
  ["transactionIdAge", ""],
  ["missedBackups", ""],
] as const;
const FALLING = [
  ["diskFree", "Percent"],
  ["diskFree", "Size"],
] as const;

/** Checks that warn only after they have failed. */
export function thresholdProblems({ given }: Combination): Problem[] {
  const values: Readonly<Record<string, unknown>> = given.healthThresholds;
  const problems: Problem[] = [];
  const compare = (subject: string, unit: string, sign: 1 | -1, word: string): void => {
    const [warn, fail] = [`${subject}Warn${unit}`, `${subject}Fail${unit}`];
    if (sign * amount(values[warn]) > sign * amount(values[fail])) {
      const right = `at ${word} ${fail} ${String(values[fail])}`;
      problems.push(mismatch([`healthThresholds.${warn}`], values[warn], right));
    }
  };
  for (const [subject, unit] of RISING) compare(subject, unit, 1, "most");
  for (const [subject, unit] of FALLING) compare(subject, unit, -1, "least");
  return problems;
}

function amount(given: unknown): number {
  return typeof given === "string" && isMemorySize(given) ? bytesOf(given) : Number(given);
}
