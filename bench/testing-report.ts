import type { Client } from "pg";

/** What is printed and written at the end. */
export const lines: string[] = [];

/** Adds a line with the middle and the upper ends of some milliseconds. */
export function report(name: string, times: readonly number[]): void {
  const sorted = times.toSorted((one, other) => one - other);
  const at = (part: number) =>
    (sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * part))] ?? Number.NaN)
      .toFixed(1)
      .padStart(8);
  lines.push(`${at(0.5)} ${at(0.95)} ${at(0.99)}  ${name}`);
  console.error(lines.at(-1));
}

/** Milliseconds until a session is there and has answered a first query; it is ended after that. */
export async function untilAnswered(connect: () => Promise<Client>): Promise<number> {
  const started = performance.now();
  const client = await connect();
  await client.query("SELECT count(*) FROM public.tenants");
  const took = performance.now() - started;
  await client.end();
  return took;
}

export async function millisecondsOf(work: () => Promise<void>): Promise<number> {
  const started = performance.now();
  await work();
  return performance.now() - started;
}
