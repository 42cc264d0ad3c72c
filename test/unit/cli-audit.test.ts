import { readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { auditFileName } from "../../operations/audit/files.ts";
import { appendAudit } from "../../operations/audit.ts";
import { outputs, pgstack } from "../support/fake-pulumi.ts";
import { temporaryFolder } from "../support/temporary-folder.ts";

describe("S8 the audit log on the command line", () => {
  test("list prints the last records, for people and for machines", async () => {
    const { stack } = await logOf(3);
    const people = await pgstack(["audit", "-n", "2"], stack);
    expect(people.stdout.trim().split("\n")).toHaveLength(2);
    expect(people.stdout).toContain("rotate credential");
    expect(people.stdout).toContain("number=3");
    const machines = await pgstack(["audit", "list", "--json", "-n", "1"], stack);
    expect(JSON.parse(machines.stdout)).toMatchObject([
      { sequence: 3, operation: "rotate credential", result: "ok" },
    ]);
    expect([people.exitCode, machines.exitCode]).toEqual([0, 0]);
  });

  test("list of nothing says so and is no failure", async () => {
    const { stack } = await logOf(0);
    expect(await pgstack(["audit"], stack)).toEqual({
      exitCode: 0,
      stdout: "",
      stderr: "no operation is recorded for stack dev\n",
    });
  });

  test("verify: 0 for a whole log, 1 and the place for an edited one", async () => {
    const { stack, file } = await logOf(3);
    const whole = await pgstack(["audit", "verify"], stack);
    expect(whole).toMatchObject({
      exitCode: 0,
      stdout: "ok  3 records of stack dev, none removed or edited\n",
    });
    await writeFile(file, (await readFile(file, "utf8")).replace('"number":2', '"number":7'));
    const edited = await pgstack(["audit", "verify"], stack);
    expect(edited.exitCode).toBe(1);
    expect(edited.stdout).toContain("line 2");
    const machines = await pgstack(["audit", "verify", "--json"], stack);
    expect(machines.exitCode).toBe(1);
    expect(JSON.parse(machines.stdout)).toMatchObject({ stack: "dev", records: 1, firstBad: { line: 2 } });
    const listed = await pgstack(["audit"], stack);
    expect(listed.stderr).toContain("1 lines are no sound records");
  });
});

async function logOf(records: number) {
  const logsDirectory = await temporaryFolder();
  const time = new Date();
  for (let number = 1; number <= records; number++) {
    const parameters = { number };
    const entry = {
      operation: "rotate credential",
      parameters,
      result: "ok",
      durationMilliseconds: 5,
      time,
    } as const;
    await appendAudit({ logsDirectory, stack: "dev", operator: "tester" }, entry);
  }
  const file = join(logsDirectory, auditFileName("dev", time));
  return { file, stack: { outputs: outputs({ logsDirectory }) } };
}
