import type { Journal } from "./journal.ts";

/** One line on a promotion that was interrupted, and what ends it. */
export function interruptedLine(stack: string, journal: Journal, completedByThisUp = false): string {
  const { from } = journal;
  const ways = [
    completedByThisUp ? "this up completes it" : `npm start -- --stack ${stack} completes it`,
    `./pgstack promote ${from} ${stack} --put-back takes it back`,
  ];
  return `${interrupted(stack, journal)}: ${ways.join("; ")}`;
}

/** The same without what ends it. */
export function interrupted(stack: string, { from, at }: Journal): string {
  return `a promotion from ${from} to ${stack} was interrupted${at === undefined ? "" : ` (begun ${at})`}`;
}
