import { spawn } from "node:child_process";
import { once } from "node:events";
import { appendFile, chmod, readdir, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { beforeEach, describe, expect, test } from "vitest";
import { verifyAudit } from "../../operations/audit.ts";
import { type AuditLog, emptyAuditLog } from "../support/audit-log.ts";

const PROGRAM = new URL("../support/audit-program.ts", import.meta.url).pathname;
let log: AuditLog;
let logsDirectory: string;
const stack = "dev";

beforeEach(async () => {
  log = await emptyAuditLog();
  logsDirectory = log.logsDirectory;
});

describe("S8 an audit log after a crash", () => {
  test("S8 half a last line is told, kept aside, recorded, and no obstacle", async () => {
    await log.append("one");
    const [path = ""] = await log.files();
    await appendFile(path, '{"time":"2026-11-20T12:00:01.000Z","seq');
    const before = await verifyAudit(logsDirectory, stack);
    expect(before).toMatchObject({ records: 1, torn: { file: path, line: 2 } });
    expect(before.firstBad).toBeUndefined();

    await log.append("two");
    const after = await verifyAudit(logsDirectory, stack);
    expect(after).toMatchObject({ records: 3 });
    expect(after.firstBad).toBeUndefined();
    expect(after.repairs[0]?.parameters).toMatchObject({ found: "torn last line", bytes: 39 });
    const kept = (await readdir(logsDirectory)).find((name) => name.includes(".torn-"));
    expect(await readFile(join(logsDirectory, kept ?? ""), "utf8")).toContain('"seq');
  });

  test("S8 no killed writer harms the log or loses a record that it has told of", {
    timeout: 60_000,
  }, async () => {
    for (let round = 0; round < 8; round += 1) {
      const writer = spawn(process.execPath, [PROGRAM, logsDirectory, stack], {
        stdio: ["ignore", "pipe", "inherit"],
      });
      const told: string[] = [];
      const lines = createInterface(writer.stdout);
      lines.on("line", (line) => {
        told.push(line);
        // Not at the same place of its work each time.
        if (told.length === 3) setTimeout(() => writer.kill("SIGKILL"), round * 3);
      });
      await once(lines, "close");
      const { firstBad, records } = await verifyAudit(logsDirectory, stack);
      expect(firstBad).toBeUndefined();
      expect(records).toBeGreaterThanOrEqual(Number(told.at(-1)));
    }
    await log.append("after");
    expect((await verifyAudit(logsDirectory, stack)).firstBad).toBeUndefined();
  });

  test("S8 a record whose head was not written yet counts", async () => {
    await log.append("one");
    const head = join(logsDirectory, "audit-dev.head.json");
    const old = await readFile(head);
    await log.append("two");
    await writeFile(head, old);
    expect((await verifyAudit(logsDirectory, stack)).firstBad).toBeUndefined();
    await log.append("three");
    expect(await verifyAudit(logsDirectory, stack)).toMatchObject({ records: 3, repairs: [] });
  });

  test("S8 a record cut short after it was counted is reported, also later", async () => {
    await log.append("one");
    await log.append("two");
    const [path = ""] = await log.files();
    const content = await readFile(path);
    await writeFile(path, content.subarray(0, content.length - 10));
    expect((await verifyAudit(logsDirectory, stack)).firstBad).toMatchObject({ file: path, line: 2 });
    await log.append("three");
    expect((await verifyAudit(logsDirectory, stack)).firstBad).toMatchObject({ file: path, line: 2 });
  });

  test("S8 only a lost line end is put right", async () => {
    await log.append("one");
    const [path = ""] = await log.files();
    const content = await readFile(path);
    await writeFile(path, content.subarray(0, -1));
    await log.append("two");
    expect(await verifyAudit(logsDirectory, stack)).toMatchObject({ records: 2, repairs: [] });
  });

  test("F29 a clock that goes back a month keeps the order", async () => {
    await log.append("one", "2026-11-20T12:00:00Z");
    await log.append("two", "2026-10-20T12:00:00Z");
    expect(await log.files()).toHaveLength(1);
    const result = await verifyAudit(logsDirectory, stack);
    expect(result).toMatchObject({ records: 2 });
    expect(result.firstBad).toBeUndefined();
  });

  test("S8 a log of large records is read from its end", async () => {
    await log.append(
      "large",
      undefined,
      Object.fromEntries(Array.from({ length: 50 }, (_, n) => [`p${n}`, "x".repeat(1_500)])),
    );
    await log.append("after");
    expect(await verifyAudit(logsDirectory, stack)).toMatchObject({ records: 2, repairs: [] });
  });

  test("S8 is verified also where it may not be written", async () => {
    await log.append("one");
    await chmod(logsDirectory, 0o500);
    try {
      expect(await verifyAudit(logsDirectory, stack)).toMatchObject({ records: 1 });
    } finally {
      await chmod(logsDirectory, 0o700);
    }
  });
});
