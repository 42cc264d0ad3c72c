import { readFile, writeFile } from "node:fs/promises";
import { describe, expect, test } from "vitest";
import { checkDatabase } from "../../agent/verification/checks.ts";
import { accepted, together } from "../../agent/verification/outcome.ts";
import { differences, type TableContent } from "../../agent/verification/tables.ts";
import { FakePrograms } from "../support/fake-programs.ts";

const CONTEXT = { signal: new AbortController().signal };
const SERVER = { socketDirectory: "/none", port: 5432 };
const LOGIN = { role: "reader", password: "" };

describe("what a restored database is compared with [L2]", () => {
  const wanted: TableContent[] = [
    { table: "public.a", rows: 3, checksum: "x" },
    { table: "public.b", rows: 1 },
  ];

  test.each([
    ["the same", wanted, []],
    ["a table less", wanted.slice(1), ["public.a is missing"]],
    [
      "a row less",
      [{ table: "public.a", rows: 2, checksum: "x" }, wanted[1] as TableContent],
      ["public.a has 2 rows and should have 3"],
    ],
    [
      "another value",
      [{ table: "public.a", rows: 3, checksum: "y" }, wanted[1] as TableContent],
      ["public.a has other content than it should have"],
    ],
    ["a table more", [...wanted, { table: "public.c", rows: 1 }], []],
  ])("%s", (_what, found, problems) => {
    expect(differences(wanted, found)).toEqual({ problems, warnings: [] });
  });

  test("outcomes are told together, and those that are accepted are still told", () => {
    const [first, second] = [
      { problems: ["one"], warnings: ["two"] },
      { problems: ["three"], warnings: [] },
    ];
    expect(together(first, second)).toEqual({ problems: ["one", "three"], warnings: ["two"] });
    expect(accepted(first)).toEqual({ problems: [], warnings: ["accepted: one", "two"] });
  });
});

describe("the stack's own verification SQL [L2]", () => {
  /** A psql that finds nothing odd, and has these words for the checks. */
  async function check(answer: string, exitCode = 0) {
    const programs = await FakePrograms.empty();
    await programs.add(
      "psql",
      `const sql = input();
      if (sql.includes("json_agg")) { process.stdout.write("[]"); process.exit(0); }
      fs.writeFileSync(folder + "/asked", sql);
      process.${exitCode === 0 ? "stdout" : "stderr"}.write(${JSON.stringify(answer)});
      process.exitCode = ${exitCode};`,
    );
    await writeFile(programs.path("psql", "asked"), "");
    const sql = [{ name: "sql/verify.sql", text: "SELECT true;" }];
    const outcome = await checkDatabase(
      SERVER,
      "app",
      { coreTables: [], sql },
      { login: LOGIN, context: CONTEXT },
    );
    expect(await readFile(programs.path("psql", "asked"), "utf8")).toContain("SELECT true;");
    return outcome.problems;
  }

  test.each([
    ["t\n", []],
    ["t\nt\n", []],
    ["t\nf\n", ["sql/verify.sql: answer 2 is f and not true"]],
    ["1\n", ["sql/verify.sql: answer 1 is 1 and not true"]],
    ["", ["sql/verify.sql has no query that answers"]],
  ])("answers %j", async (answer, problems) => {
    expect(await check(answer)).toEqual(problems);
  });

  test("that fails is a problem", async () => {
    expect(await check("ERROR:  relation does not exist", 3)).toEqual([
      "sql/verify.sql: ERROR:  relation does not exist",
    ]);
  });
});
