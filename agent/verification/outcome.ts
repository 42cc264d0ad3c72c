/** What the checks of a restored database came to, a line each. */
export interface Outcome {
  /** What makes it another database than its source: it is not put in use without a word of the operator. */
  readonly problems: readonly string[];
  /** What was so at the source, or follows from it. */
  readonly warnings: readonly string[];
}

/** Several outcomes as one. */
export function together(...outcomes: readonly Outcome[]): Outcome {
  return {
    problems: outcomes.flatMap(({ problems }) => problems),
    warnings: outcomes.flatMap(({ warnings }) => warnings),
  };
}

/** An outcome whose problems the operator has accepted. */
export function accepted({ problems, warnings }: Outcome): Outcome {
  return { problems: [], warnings: [...problems.map((problem) => `accepted: ${problem}`), ...warnings] };
}

/** The first lines, for a message. */
export function firstLines(lines: readonly string[]): string {
  const more = lines.length - MOST_LINES;
  return `${lines.slice(0, MOST_LINES).join("; ")}${more > 0 ? `; and ${more} more` : ""}`;
}

const MOST_LINES = 5;
