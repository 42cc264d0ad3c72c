import { appendFile, chmod, readdir, readFile, rename, rm, stat, writeFile } from "node:fs/promises";
import { join } from "node:path";
import fc from "fast-check";
import { beforeEach, describe, expect, test } from "vitest";
import { type AuditRecord, appendAudit, audited, verifyAudit } from "../../operations/audit.ts";
import { UserError } from "../../operations/user-error.ts";
import { temporaryFolder } from "../support/temporary-folder.ts";

let logsDirectory: string;
const stack = "dev";
const MONTHS = [
  "2026-10-30T10:00:00Z",
  "2026-10-31T23:59:59Z",
  "2026-11-01T00:00:01Z",
  "2026-11-02T08:00:00Z",
];

beforeEach(async () => {
  logsDirectory = await temporaryFolder();
});

function append(operation: string, time = "2026-11-20T12:00:00Z", parameters: Record<string, unknown> = {}) {
  const entry = {
    operation,
    parameters,
    result: "ok",
    durationMilliseconds: 12,
    time: new Date(time),
  } as const;
  return appendAudit({ logsDirectory, stack, operator: "anna" }, entry);
}

async function appendMonths(): Promise<void> {
  for (const [index, time] of MONTHS.entries()) await append(`operation ${index + 1}`, time, { step: index });
}

async function logFiles(): Promise<string[]> {
  const names = await readdir(logsDirectory);
  return names
    .filter((name) => name.endsWith(".log"))
    .sort()
    .map((name) => join(logsDirectory, name));
}

async function readAll(): Promise<Map<string, Buffer>> {
  const files = new Map<string, Buffer>();
  for (const path of await logFiles()) files.set(path, await readFile(path));
  return files;
}

describe("S8 an audit record", () => {
  test("S8 names time, operator, operation, stack, parameters, result and duration, and is linked", async () => {
    await audited(
      { logsDirectory, stack, operator: "anna" },
      "rotate credential",
      { role: "app" },
      async () => 7,
    );
    const [path] = await logFiles();
    const record = JSON.parse(await readFile(path ?? "", "utf8")) as AuditRecord;
    expect(record).toMatchObject({
      operator: "anna",
      operation: "rotate credential",
      stack: "dev",
      parameters: { role: "app" },
      result: "ok",
      sequence: 1,
      previousHash: "0".repeat(64),
    });
    expect(new Date(record.time).toISOString()).toBe(record.time);
    expect(record.hash).toMatch(/^[0-9a-f]{64}$/);
    expect(path).toMatch(/audit-dev-\d{4}-\d{2}\.log$/);
  });

  test("S8 takes its operator from PGSTACK_OPERATOR, else from the operating system", async () => {
    process.env.PGSTACK_OPERATOR = "night shift";
    try {
      const entry = { operation: "x", parameters: {}, result: "ok", durationMilliseconds: 1 } as const;
      expect((await appendAudit({ logsDirectory, stack }, entry)).operator).toBe("night shift");
      delete process.env.PGSTACK_OPERATOR;
      expect((await appendAudit({ logsDirectory, stack }, entry)).operator).not.toBe("");
    } finally {
      delete process.env.PGSTACK_OPERATOR;
    }
  });

  test("S2 S8 holds no secret, neither by key, by value, in any spelling, nor by form", async () => {
    const secret = "p'ä\"s s/w%d";
    const context = { logsDirectory, stack, operator: "anna", secrets: [secret] };
    const parameters = {
      password: "hidden-by-key",
      passwordChanged: true,
      nested: { apiToken: 4711, list: [{ verifier: "hidden-too" }] },
      url: "postgresql://app:hunter2@host/db",
      encoded: encodeURIComponent(secret),
      statement: `ALTER ROLE app PASSWORD '${secret.replaceAll("'", "''")}'`,
      verifier2: "x",
      loose: "SCRAM-SHA-256$4096:c2FsdA==$c3RvcmVk:c2VydmVy",
      pem: "-----BEGIN PRIVATE KEY-----\nMIIabc\n-----END PRIVATE KEY-----",
    };
    await audited(context, "try", parameters, () =>
      Promise.reject(new Error(`refused ${secret}\nline two`)),
    ).catch(() => {});
    const text = (await readAll()).values().next().value?.toString("utf8") ?? "";
    for (const leak of ["hidden", "4711", "hunter2", "c3RvcmVk", "MIIabc", "s/w", "s%2Fw"]) {
      expect(text).not.toContain(leak);
    }
    expect(text).toContain('"passwordChanged":true');
    const record = JSON.parse(text) as AuditRecord;
    expect(record).toMatchObject({ result: "failed", error: "refused [redacted]; line two" });
  });

  test("S8 F15 takes any parameters and stays verifiable", async () => {
    await fc.assert(
      fc.asyncProperty(fc.dictionary(fc.string({ unit: "binary" }), fc.anything()), async (parameters) => {
        await append("anything", undefined, parameters);
        expect((await verifyAudit(logsDirectory, stack)).firstBad).toBeUndefined();
      }),
      { numRuns: 60 },
    );
  });

  test("S8 is readable by its owner only, like the head", async () => {
    await append("one");
    for (const name of await readdir(logsDirectory)) {
      expect((await stat(join(logsDirectory, name))).mode & 0o777).toBe(0o600);
    }
  });

  test("F15 a stack name that is no file name is refused", async () => {
    const entry = { operation: "x", parameters: {}, result: "ok", durationMilliseconds: 1 } as const;
    await expect(appendAudit({ logsDirectory, stack: "../dev" }, entry)).rejects.toThrow(UserError);
  });
});

describe("S8 audited work", () => {
  test("S8 rethrows the work's own error and records it", async () => {
    const own = new UserError("the port is taken");
    const run = audited({ logsDirectory, stack }, "up", {}, () => Promise.reject(own));
    await expect(run).rejects.toBe(own);
    expect(await verifyAudit(logsDirectory, stack)).toMatchObject({ records: 1 });
  });

  test("S8 a log that can't be written is refused before the work", async () => {
    const blocked = join(logsDirectory, "file");
    await writeFile(blocked, "");
    let worked = false;
    const run = audited({ logsDirectory: blocked, stack }, "up", {}, async () => {
      worked = true;
    });
    await expect(run).rejects.toThrow(/logsDirectory/);
    expect(worked).toBe(false);
  });

  test("S8 a record that can't be written after the work fails the call, saying that the work is done", async () => {
    const run = audited({ logsDirectory, stack }, "rotate", {}, async () => {
      await rm(logsDirectory, { recursive: true });
      await writeFile(logsDirectory, "in the way");
    });
    await expect(run).rejects.toThrow(
      /rotate of stack dev is done, but its audit record could not be written/,
    );
  });

  test("S8 a record that can't be written does not mask the work's error", async () => {
    const own = new Error("the work's own");
    const told: Error[] = [];
    const context = { logsDirectory, stack, onAuditFailure: (error: Error) => void told.push(error) };
    const run = audited(context, "rotate", {}, async () => {
      await rm(logsDirectory, { recursive: true });
      await writeFile(logsDirectory, "in the way");
      throw own;
    });
    await expect(run).rejects.toBe(own);
    expect(told).toHaveLength(1);
  });

  test("S8 parallel work of one process gives one unbroken chain", async () => {
    const runs = Array.from({ length: 20 }, (_, index) =>
      audited({ logsDirectory, stack }, `parallel ${index}`, {}, async () => index),
    );
    await Promise.all(runs);
    expect(await verifyAudit(logsDirectory, stack)).toMatchObject({ records: 20, repairs: [] });
  });
});

describe("F16 verifying the audit log", () => {
  test("F16 an untouched log over several months is whole", async () => {
    await appendMonths();
    expect(await logFiles()).toHaveLength(2);
    const result = await verifyAudit(logsDirectory, stack);
    expect(result).toMatchObject({ records: 4, repairs: [] });
    expect(result.firstBad).toBeUndefined();
  });

  test("F16 no log is whole too", async () => {
    expect(await verifyAudit(join(logsDirectory, "none"), stack)).toMatchObject({ records: 0 });
  });

  test("F16 any changed, added or removed byte is found", async () => {
    await appendMonths();
    const files = await readAll();
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
    await appendMonths();
    const files = await readAll();
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
    for (let count = 0; count < 6; count += 1) await append(`operation ${count}`);
    const [path = ""] = await logFiles();
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
    await appendMonths();
    const [, second = ""] = await logFiles();
    const text = await readFile(second, "utf8");
    await writeFile(second, text.replace("operation 4", "operation 5"));
    const { firstBad, records } = await verifyAudit(logsDirectory, stack);
    expect(firstBad).toEqual({ file: second, line: 2, reason: "edited: its hash does not fit its content" });
    expect(records).toBe(3);
  });

  test("F16 a removed month, a removed last month and removed last records are found", async () => {
    await appendMonths();
    const [first = "", second = ""] = await logFiles();
    await rename(first, `${first}.away`);
    expect((await verifyAudit(logsDirectory, stack)).firstBad).toMatchObject({ file: second, line: 1 });
    await rename(`${first}.away`, first);
    await rename(second, `${second}.away`);
    expect((await verifyAudit(logsDirectory, stack)).firstBad).toMatchObject({ file: first, line: 3 });
  });

  test("F16 removed last records stay found after more appends", async () => {
    await appendMonths();
    const [, second = ""] = await logFiles();
    await rm(second);
    await append("after", "2026-11-03T00:00:00Z");
    const { firstBad } = await verifyAudit(logsDirectory, stack);
    expect(firstBad).toMatchObject({ file: second, line: 1 });
    expect(firstBad?.reason).toMatch(/record 5 stands where record 3 belongs/);
  });

  test("F16 a removed head file is found, and the next append records it for ever", async () => {
    await appendMonths();
    await rm(join(logsDirectory, "audit-dev.head.json"));
    expect((await verifyAudit(logsDirectory, stack)).firstBad?.reason).toMatch(/head file is missing/);
    await append("after", "2026-11-03T00:00:00Z");
    const { records, repairs, firstBad } = await verifyAudit(logsDirectory, stack);
    expect(firstBad).toBeUndefined();
    expect(records).toBe(6);
    expect(repairs[0]).toMatchObject({
      operation: "audit repair",
      parameters: { found: "head file missing" },
    });
  });

  test("F16 another stack's log is not mixed in", async () => {
    await append("one");
    const entry = { operation: "two", parameters: {}, result: "ok", durationMilliseconds: 1 } as const;
    await appendAudit({ logsDirectory, stack: "dev-2026" }, entry);
    expect(await verifyAudit(logsDirectory, stack)).toMatchObject({ records: 1 });
    expect(await verifyAudit(logsDirectory, "dev-2026")).toMatchObject({ records: 1 });
  });
});

describe("S8 an audit log after a crash", () => {
  test("S8 half a last line is told, kept aside, recorded, and no obstacle", async () => {
    await append("one");
    const [path = ""] = await logFiles();
    await appendFile(path, '{"time":"2026-11-20T12:00:01.000Z","seq');
    const before = await verifyAudit(logsDirectory, stack);
    expect(before).toMatchObject({ records: 1, torn: { file: path, line: 2 } });
    expect(before.firstBad).toBeUndefined();

    await append("two");
    const after = await verifyAudit(logsDirectory, stack);
    expect(after).toMatchObject({ records: 3 });
    expect(after.firstBad).toBeUndefined();
    expect(after.repairs[0]?.parameters).toMatchObject({ found: "torn last line", bytes: 39 });
    const kept = (await readdir(logsDirectory)).find((name) => name.includes(".torn-"));
    expect(await readFile(join(logsDirectory, kept ?? ""), "utf8")).toContain('"seq');
  });

  test("S8 a record whose head was not written yet counts", async () => {
    await append("one");
    const head = join(logsDirectory, "audit-dev.head.json");
    const old = await readFile(head);
    await append("two");
    await writeFile(head, old);
    expect((await verifyAudit(logsDirectory, stack)).firstBad).toBeUndefined();
    await append("three");
    expect(await verifyAudit(logsDirectory, stack)).toMatchObject({ records: 3, repairs: [] });
  });

  test("S8 a record cut short after it was counted is reported, also later", async () => {
    await append("one");
    await append("two");
    const [path = ""] = await logFiles();
    const content = await readFile(path);
    await writeFile(path, content.subarray(0, content.length - 10));
    expect((await verifyAudit(logsDirectory, stack)).firstBad).toMatchObject({ file: path, line: 2 });
    await append("three");
    expect((await verifyAudit(logsDirectory, stack)).firstBad).toMatchObject({ file: path, line: 2 });
  });

  test("S8 only a lost line end is put right", async () => {
    await append("one");
    const [path = ""] = await logFiles();
    const content = await readFile(path);
    await writeFile(path, content.subarray(0, -1));
    await append("two");
    expect(await verifyAudit(logsDirectory, stack)).toMatchObject({ records: 2, repairs: [] });
  });

  test("F29 a clock that goes back a month keeps the order", async () => {
    await append("one", "2026-11-20T12:00:00Z");
    await append("two", "2026-10-20T12:00:00Z");
    expect(await logFiles()).toHaveLength(1);
    const result = await verifyAudit(logsDirectory, stack);
    expect(result).toMatchObject({ records: 2 });
    expect(result.firstBad).toBeUndefined();
  });

  test("S8 a log of large records is read from its end", async () => {
    await append(
      "large",
      undefined,
      Object.fromEntries(Array.from({ length: 50 }, (_, n) => [`p${n}`, "x".repeat(1_500)])),
    );
    await append("after");
    expect(await verifyAudit(logsDirectory, stack)).toMatchObject({ records: 2, repairs: [] });
  });

  test("S8 is verified also where it may not be written", async () => {
    await append("one");
    await chmod(logsDirectory, 0o500);
    try {
      expect(await verifyAudit(logsDirectory, stack)).toMatchObject({ records: 1 });
    } finally {
      await chmod(logsDirectory, 0o700);
    }
  });
});
