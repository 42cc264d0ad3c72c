/** How the stack stands to a point. `open`: the point applies and the stack does not do it; the note says why. */
export type PointStatus = "met" | "met otherwise" | "not applicable" | "open";

/** One recommendation of a benchmark, in words of our own. */
export interface BenchmarkPoint<Facts> {
  /** Its number in the benchmark. */
  readonly id: string;
  /** What it asks for. */
  readonly title: string;
  readonly status: PointStatus;
  /** How it is met, or why it is not or need not be. */
  readonly note: string;
  /** Proves the note on a running stack; every point that is met has one, the others where something can be looked at. */
  readonly check?: (facts: Facts) => void;
}

/** A point that is met as the benchmark says. */
export function met<Facts>(
  ...[id, title, note, check]: [id: string, title: string, note: string, check: (facts: Facts) => void]
): BenchmarkPoint<Facts> {
  return { id, title, status: "met", note, check };
}

/** A point whose aim is reached in another way. */
export function metOtherwise<Facts>(
  ...[id, title, note, check]: [id: string, title: string, note: string, check: (facts: Facts) => void]
): BenchmarkPoint<Facts> {
  return { id, title, status: "met otherwise", note, check };
}

/** A point about something that the stack does not have; a check notices when it does. */
export function notApplicable<Facts>(
  ...[id, title, note, check]: [id: string, title: string, note: string, check?: (facts: Facts) => void]
): BenchmarkPoint<Facts> {
  return { id, title, status: "not applicable", note, ...(check && { check }) };
}

/** A point that applies and is not met. */
export function open(id: string, title: string, note: string): BenchmarkPoint<unknown> {
  return { id, title, status: "open", note };
}

/** The table that docs/security.md shows. */
export function benchmarkTable<Facts>(points: readonly BenchmarkPoint<Facts>[]): string {
  const rows = points.map(({ id, title, status, note }) => `| ${id} | ${title} | ${status} | ${note} |`);
  return ["| point | asks for | status | evidence or reason |", "|---|---|---|---|", ...rows].join("\n");
}
