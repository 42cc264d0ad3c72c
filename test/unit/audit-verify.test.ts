import { readFile, rename, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import fc from "fast-check";
import { beforeEach, describe, expect, test } from "vitest";
import { type AuditRecord, recordLine, sealRecord } from "../../operations/audit/record.ts";
import { appendAudit, verifyAudit } from "../../operations/audit.ts";
import { type AuditLog, emptyAuditLog } from "../support/audit-log.ts";

let log: AuditLog;
let logsDirectory: string;
const stack = "dev";

beforeEach(async () => {
  log = await emptyAuditLog();
  logsDirectory = log.logsDirectory;
});

/** Writes one record of a file anew, with a hash that fits it. */
async function rewrite(path: string, line: number, change: Partial<AuditRecord>): Promise<AuditRecord> {
  const lines = (await readFile(path, "utf8")).trimEnd().split("\n");
  const { hash: _, ...old } = JSON.parse(lines[line] ?? "") as AuditRecord;
  const record = sealRecord({ ...old, ...change });
  await writeFile(path, `${lines.with(line, recordLine(record)).join("\n")}\n`);
  return record;
}

describe("F16 verifying the audit log", () => {
  test("F16 an untouched log over several months is whole", async () => {
    await log.appendMonths();
    expect(await log.files()).toHaveLength(2);
    const result = await verifyAudit(logsDirectory, stack);
    expect(result).toMatchObject({ records: 4, repairs: [] });
    expect(result.firstBad).toBeUndefined();
  });

  test("F16 no log is whole too", async () => {
    expect(await verifyAudit(join(logsDirectory, "none"), stack)).toMatchObject({ records: 0 });
  });

  test("F16 any changed, added or removed byte is found", async () => {
    await log.appendMonths();
    const files = await log.readAll();
    const edit = fc.record({
      file: fc.constantFrom(...files.keys()),
      at: fc.double({ min: 0, max: 1, maxExcluded: true, noNaN: true }),
      kind: fc.constantFrom("replace", "insert", "remove"),
      byte: fc.integer({ min: 0, max: 255 }),
    });
    await fc.assert(
      fc.asyncProperty(edit, async ({ file, at, kind, byte }) => {
        const original = files.get(file) ?? Buffer.alloc(0);
        const position = Math.floor(at * original.length);
        const middle = kind === "remove" ? Buffer.alloc(0) : Buffer.from([byte]);
        const rest = original.subarray(kind === "insert" ? position : position + 1);
        const edited = Buffer.concat([original.subarray(0, position), middle, rest]);
        fc.pre(!edited.equals(original));
        await writeFile(file, edited);
        const { firstBad } = await verifyAudit(logsDirectory, stack);
        await writeFile(file, original);
        expect(firstBad).toBeDefined();
      }),
      { numRuns: 300 },
    );
  });

  test("F16 a removed line is named by file and line, whichever it is", async () => {
    await log.appendMonths();
    const files = await log.readAll();
    for (const [path, content] of files) {
      const lines = content.toString("utf8").trimEnd().split("\n");
      for (const index of lines.keys()) {
        await writeFile(
          path,
          lines
            .toSpliced(index, 1)
            .map((line) => `${line}\n`)
            .join(""),
        );
        const { firstBad } = await verifyAudit(logsDirectory, stack);
        expect(firstBad?.reason).toMatch(/removed|missing/);
        expect(firstBad?.line).toBeGreaterThan(0);
        await writeFile(path, content);
      }
    }
  });

  test("F16 reordered lines are named", async () => {
    for (let count = 0; count < 6; count += 1) await log.append(`operation ${count}`);
    const [path = ""] = await log.files();
    const lines = (await readFile(path, "utf8")).trimEnd().split("\n");
    await fc.assert(
      fc.asyncProperty(fc.shuffledSubarray([...lines.keys()], { minLength: 6 }), async (order) => {
        fc.pre(order.some((from, to) => from !== to));
        await writeFile(path, order.map((index) => `${lines[index]}\n`).join(""));
        const { firstBad } = await verifyAudit(logsDirectory, stack);
        expect(firstBad).toMatchObject({ file: path, line: order.findIndex((from, to) => from !== to) + 1 });
      }),
      { numRuns: 50 },
    );
  });

  test("F16 an edited record is named with its line", async () => {
    await log.appendMonths();
    const [, second = ""] = await log.files();
    const text = await readFile(second, "utf8");
    await writeFile(second, text.replace("operation 4", "operation 5"));
    const { firstBad, records } = await verifyAudit(logsDirectory, stack);
    expect(firstBad).toEqual({ file: second, line: 2, reason: "edited: its hash does not fit its content" });
    expect(records).toBe(3);
  });

  test("F16 a removed month, a removed last month and removed last records are found", async () => {
    await log.appendMonths();
    const [first = "", second = ""] = await log.files();
    await rename(first, `${first}.away`);
    expect((await verifyAudit(logsDirectory, stack)).firstBad).toMatchObject({ file: second, line: 1 });
    await rename(`${first}.away`, first);
    await rename(second, `${second}.away`);
    expect((await verifyAudit(logsDirectory, stack)).firstBad).toMatchObject({ file: first, line: 3 });
  });

  test("F16 removed last records stay found after more appends", async () => {
    await log.appendMonths();
    const [, second = ""] = await log.files();
    await rm(second);
    await log.append("after", "2026-11-03T00:00:00Z");
    const { firstBad } = await verifyAudit(logsDirectory, stack);
    expect(firstBad).toMatchObject({ file: second, line: 1 });
    expect(firstBad?.reason).toMatch(/record 5 stands where record 3 belongs/);
  });

  test("F16 a removed head file is found, and the next append records it for ever", async () => {
    await log.appendMonths();
    await rm(join(logsDirectory, "audit-dev.head.json"));
    expect((await verifyAudit(logsDirectory, stack)).firstBad?.reason).toMatch(/head file is missing/);
    await log.append("after", "2026-11-03T00:00:00Z");
    const { records, repairs, firstBad } = await verifyAudit(logsDirectory, stack);
    expect(firstBad).toBeUndefined();
    expect(records).toBe(6);
    expect(repairs[0]).toMatchObject({
      operation: "audit repair",
      parameters: { found: "head file missing" },
    });
  });

  test("a record that was written anew, with a hash that fits it, is found by the next one's link [F16]", async () => {
    await log.appendMonths();
    const [, second = ""] = await log.files();
    await rewrite(second, 0, { operation: "nothing happened" });
    expect((await verifyAudit(logsDirectory, stack)).firstBad).toEqual({
      ...{ file: second, line: 2 },
      reason: "record 4 does not follow the one before it: its previous hash differs",
    });
  });

  test("so is a last one, by the head file's hash, where the log has come as far, or one further [F16]", async () => {
    await log.appendMonths();
    const [, second = ""] = await log.files();
    const headFile = join(logsDirectory, "audit-dev.head.json");
    const head = JSON.parse(await readFile(headFile, "utf8")) as { records: number };
    const last = await rewrite(second, 1, { operation: "nothing happened" });
    const found = { file: headFile, line: 0, reason: expect.stringMatching(/or another last one/) };
    expect((await verifyAudit(logsDirectory, stack)).firstBad).toEqual(found);
    // As if a crash had come between the two writes.
    await writeFile(headFile, JSON.stringify({ records: head.records - 1, lastHash: last.hash }));
    expect((await verifyAudit(logsDirectory, stack)).firstBad).toEqual(found);
    await writeFile(headFile, JSON.stringify({ records: head.records - 1, lastHash: last.previousHash }));
    expect((await verifyAudit(logsDirectory, stack)).firstBad).toBeUndefined();
  });

  test("a whole chain of another stack is not taken for this one's [F16]", async () => {
    await log.appendMonths();
    const [first = "", second = ""] = await log.files();
    for (const path of [first, second, join(logsDirectory, "audit-dev.head.json")])
      await rename(path, path.replace("audit-dev", "audit-prod"));
    expect((await verifyAudit(logsDirectory, "prod")).firstBad).toEqual({
      ...{ file: first.replace("audit-dev", "audit-prod"), line: 1 },
      reason: "a record of stack dev",
    });
  });

  test("a file that was named as another month's is found [F16]", async () => {
    await log.appendMonths();
    const [first = "", second = ""] = await log.files();
    await writeFile(first, Buffer.concat([await readFile(first), await readFile(second)]));
    await rm(second);
    expect((await verifyAudit(logsDirectory, stack)).firstBad).toEqual({
      ...{ file: first, line: 3 },
      reason: "moved here from a later month",
    });
  });

  test("F16 another stack's log is not mixed in", async () => {
    await log.append("one");
    const entry = { operation: "two", parameters: {}, result: "ok", durationMilliseconds: 1 } as const;
    await appendAudit({ logsDirectory, stack: "dev-2026" }, entry);
    expect(await verifyAudit(logsDirectory, stack)).toMatchObject({ records: 1 });
    expect(await verifyAudit(logsDirectory, "dev-2026")).toMatchObject({ records: 1 });
  });
});
