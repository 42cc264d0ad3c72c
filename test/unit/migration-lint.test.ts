import { describe, expect, test } from "vitest";
import { lint } from "../../operations/migrations/lint.ts";
import { requireSound } from "../../operations/migrations/sound.ts";

const HARMFUL: readonly (readonly [sql: string, message: RegExp])[] = [
  ["CREATE INDEX i ON t (a)", /CREATE INDEX CONCURRENTLY/],
  ["DROP INDEX i", /DROP INDEX CONCURRENTLY/],
  ["DROP TABLE t", /takes data away/],
  ["DROP SCHEMA s CASCADE", /takes data away/],
  ["TRUNCATE t", /takes data away/],
  ["ALTER TABLE t RENAME TO u", /breaks clients/],
  ["ALTER TABLE t RENAME COLUMN a TO b", /breaks clients/],
  ["VACUUM FULL t", /writes the whole table anew/],
  ["CLUSTER t", /writes the whole table anew/],
  ["LOCK TABLE t", /keeps others waiting/],
  ["ALTER TABLE t ALTER COLUMN a TYPE bigint", /writes the whole table anew/],
  ["ALTER TABLE t ALTER COLUMN a SET NOT NULL", /NOT VALID, validate it/],
  ["ALTER TABLE t DROP COLUMN a", /takes data away/],
  ["ALTER TABLE t ADD CONSTRAINT f FOREIGN KEY (a) REFERENCES u", /add it NOT VALID/],
  ["ALTER TABLE t ADD CHECK (a > 0)", /add it NOT VALID/],
  ["ALTER TABLE t ADD UNIQUE (a)", /CREATE UNIQUE INDEX CONCURRENTLY/],
  ["ALTER TABLE t ADD COLUMN a float DEFAULT random()", /writes the whole table anew/],
  ["ALTER TABLE t ADD COLUMN a int NOT NULL", /give a default/],
];

const HARMLESS: readonly string[] = [
  "CREATE TABLE t (a int PRIMARY KEY); CREATE INDEX i ON t (a); ALTER TABLE t ALTER COLUMN a TYPE bigint",
  "CREATE INDEX CONCURRENTLY i ON t (a)",
  "DROP INDEX CONCURRENTLY i",
  "ALTER TABLE t ADD CONSTRAINT f FOREIGN KEY (a) REFERENCES u NOT VALID",
  "ALTER TABLE t VALIDATE CONSTRAINT f",
  "ALTER TABLE t ADD CONSTRAINT k UNIQUE USING INDEX i",
  "ALTER TABLE t ADD COLUMN a int NOT NULL DEFAULT 7",
  "ALTER TABLE t ADD COLUMN a timestamptz DEFAULT now()",
  "VACUUM t",
  "DROP VIEW v",
  "INSERT INTO t VALUES (1)",
];

describe("M1 what in a migration does harm", () => {
  test.each(HARMFUL)("M1 %s", async (sql, message) => {
    const found = await lint("0001_a.up.sql", `-- words\n\n${sql};\n`);
    expect(found).toEqual([{ line: 3, message: expect.stringMatching(message) }]);
  });

  test.each(HARMLESS)("M1 nothing in: %s", async (sql) => {
    expect(await lint("0001_a.up.sql", sql)).toEqual([]);
  });
});

describe("M1 what is refused before anything runs", () => {
  const file = (up: string, transaction = true) => ({
    ...{ version: "0001", name: "0001_a", up, checksum: "", transaction },
  });

  test("M1 SQL that PostgreSQL does not understand, with its line", async () => {
    await expect(requireSound(file("SELECT 1;\nSELEC 2;\n"))).rejects.toThrow(
      /^migrations\/0001_a\.up\.sql, line 2: syntax error at or near "SELEC"/,
    );
  });

  test("M1 BEGIN and COMMIT of its own, and more than one statement without a transaction", async () => {
    await expect(requireSound(file("SELECT 1;\nCOMMIT;"))).rejects.toThrow(
      /line 2: a migration is one transaction/,
    );
    await expect(requireSound(file("CREATE INDEX CONCURRENTLY i ON t (a); SELECT 1", false))).rejects.toThrow(
      /has 2 statements: one without a transaction has a single one/,
    );
    await expect(requireSound(file("CREATE INDEX CONCURRENTLY i ON t (a)", false))).resolves.toBeUndefined();
  });
});
