import { expect } from "vitest";
import type { PostgresqlFacts } from "../postgresql-facts.ts";

/** A check that the parameters have these values. */
export function set(wanted: Readonly<Record<string, string>>): (facts: PostgresqlFacts) => void {
  return ({ parameters }) => {
    const found = Object.keys(wanted).map((name) => [name, parameters.get(name)?.setting]);
    expect(Object.fromEntries(found)).toEqual(wanted);
  };
}

/** A check that no file but the stack's own sets anything. */
export function onlyOurs({ parameters }: PostgresqlFacts): void {
  const files = new Set([...parameters.values()].flatMap(({ file }) => file ?? []));
  expect(files).toEqual(new Set(["/etc/pgstack/postgresql.conf"]));
}
