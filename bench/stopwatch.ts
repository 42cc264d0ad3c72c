/** Seconds that some work took. */
export async function secondsOf(work: () => Promise<void>): Promise<number> {
  const started = performance.now();
  await work();
  return (performance.now() - started) / 1000;
}

/** The middle one of some numbers. */
export function median(values: readonly number[]): number {
  const sorted = [...values].sort((left, right) => left - right);
  const middle = Math.floor(sorted.length / 2);
  const upper = sorted[middle] ?? Number.NaN;
  return sorted.length % 2 === 1 ? upper : ((sorted[middle - 1] ?? Number.NaN) + upper) / 2;
}

/** Least, middle and greatest of some numbers, in columns. */
export function spread(values: readonly number[]): string {
  const figures = [Math.min(...values), median(values), Math.max(...values)];
  return figures.map((figure) => figure.toFixed(2).padStart(7)).join(" ");
}
