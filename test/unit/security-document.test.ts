import { readdir, readFile } from "node:fs/promises";
import { describe, expect, test } from "vitest";
import { type BenchmarkPoint, benchmarkTable } from "../support/security/benchmark-point.ts";
import { DOCKER_POINTS } from "../support/security/cis-docker.ts";
import { POSTGRESQL_POINTS } from "../support/security/cis-postgresql.ts";

const text = await readFile(new URL("../../docs/security.md", import.meta.url), "utf8");
const LISTS: [string, readonly BenchmarkPoint<never>[]][] = [
  ["docker", DOCKER_POINTS],
  ["postgresql", POSTGRESQL_POINTS],
];

describe.each(LISTS)("S7 the points of %s", (name, points) => {
  test("S7 stand in docs/security.md as the tests check them", () => {
    const shown = new RegExp(`<!-- ${name}:begin -->\\n([\\s\\S]*?)\\n?<!-- ${name}:end -->`).exec(text)?.[1];
    expect(shown).toBe(benchmarkTable(points));
  });

  test("S7 have a number of their own each, and a check where they are met", () => {
    expect(new Set(points.map(({ id }) => id)).size).toBe(points.length);
    for (const { id, status, check } of points) {
      if (status.startsWith("met")) expect(check, id).toBeDefined();
    }
  });
});

test("S7 the document names tests that there are", async () => {
  const folders = await Promise.all(
    ["integration", "field"].map((folder) => readdir(new URL(`../${folder}/`, import.meta.url))),
  );
  const files = folders.flat();
  const named = [
    ...text.matchAll(/`((?:security(?:-[a-z-]+)?|secrets|roles|database|cli|b-[a-z-]+)(?:\.test\.ts)?)`/g),
  ];
  expect(named.length).toBeGreaterThan(10);
  for (const [, name = ""] of named) expect(files).toContain(`${name.replace(".test.ts", "")}.test.ts`);
});
