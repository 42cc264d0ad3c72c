import { readdir, readFile, rm, stat, writeFile } from "node:fs/promises";
import { join } from "node:path";
import fc from "fast-check";
import { beforeEach, describe, expect, test } from "vitest";
import { type AuditRecord, appendAudit, audited, verifyAudit } from "../../operations/audit.ts";
import { UserError } from "../../operations/user-error.ts";
import { type AuditLog, emptyAuditLog } from "../support/audit-log.ts";

let log: AuditLog;
let logsDirectory: string;
const stack = "dev";

beforeEach(async () => {
  log = await emptyAuditLog();
  logsDirectory = log.logsDirectory;
});

describe("S8 an audit record", () => {
  test("S8 names time, operator, operation, stack, parameters, result and duration, and is linked", async () => {
    await audited(
      { logsDirectory, stack, operator: "anna" },
      "rotate credential",
      { role: "app" },
      async () => 7,
    );
    const [path] = await log.files();
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
    const text = (await log.readAll()).values().next().value?.toString("utf8") ?? "";
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
        await log.append("anything", undefined, parameters);
        expect((await verifyAudit(logsDirectory, stack)).firstBad).toBeUndefined();
      }),
      { numRuns: 60 },
    );
  });

  test("S8 is readable by its owner only, like the head", async () => {
    await log.append("one");
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
