import { appendFile, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { afterAll, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { anchorAudit, auditPlace, readAnchors, verifyAudit } from "../../operations/audit.ts";
import { dockerEndpoint } from "../../operations/docker.ts";
import { applyRole } from "../../operations/roles.ts";
import { runAsSuperuser } from "../../operations/superuser.ts";
import type { Target } from "../../operations/target.ts";
import { type AuditLog, emptyAuditLog } from "../support/audit-log.ts";
import { outputs, pgstack } from "../support/fake-pulumi.ts";
import { startServer, type TestServer } from "../support/server.ts";
import { expectRefused, withSession } from "../support/sessions.ts";

let server: TestServer;
let target: Target;
let log: AuditLog;

beforeAll(async () => {
  server = await startServer();
  target = { ...server.target, stack: "dev" };
});
afterAll(() => server?.remove());

beforeEach(async () => {
  log = await emptyAuditLog();
});

const anchored = () => anchorAudit(target, log.logsDirectory);
const anchor = async () => (await readAnchors(target))[auditPlace(log.logsDirectory, "dev")];
const verified = async () => verifyAudit(log.logsDirectory, "dev", await anchor());
/** `pgstack audit …` of a stack that is up, with this log and this server. */
const command = (...words: string[]) => run(words, { logsDirectory: log.logsDirectory, target });
function run(words: readonly string[], connection: object) {
  return pgstack(["audit", ...words], { outputs: outputs(connection) }, { DOCKER_HOST: dockerEndpoint() });
}

async function removeAll(): Promise<void> {
  for (const name of await readdir(log.logsDirectory)) await rm(join(log.logsDirectory, name));
}

describe("an audit log that is anchored in the server", () => {
  test("is whole as it is, and as far as it has gone on since [S8]", async () => {
    expect(await anchored()).toBe("nothing to anchor");
    await log.append("one");
    expect(await anchored()).toBe("anchored");
    expect(await anchor()).toMatchObject({ records: 1 });
    // A kill between a record and its anchor, or a server that was away for long.
    await log.append("two");
    await log.append("three");
    expect(await verified()).toMatchObject({ records: 3 });
    expect((await verified()).firstBad).toBeUndefined();
    expect(await anchored()).toBe("anchored");
    expect(await anchor()).toMatchObject({ records: 3 });
    expect((await verified()).firstBad).toBeUndefined();
  });

  test("is missed when all of it was deleted, also once another one was begun in its place [S8 F16]", async () => {
    for (const operation of ["one", "two", "three"]) await log.append(operation);
    await anchored();
    await removeAll();
    expect((await verified()).firstBad?.reason).toBe("3 records are missing (3 were anchored)");
    const told = await command("verify");
    expect([told.exitCode, told.stdout]).toEqual([1, expect.stringContaining("3 records are missing")]);
    for (const operation of ["one", "new two", "three", "four"]) await log.append(operation);
    // Going on does not hide it.
    expect(await anchored()).toBe("differs");
    expect(await anchor()).toMatchObject({ records: 3 });
    expect((await verified()).firstBad).toMatchObject({
      line: 3,
      reason: "record 3 is not the one that was anchored: the log was made anew",
    });
  });

  test("is missed when its end was cut off together with the head file's count [S8 F16]", async () => {
    await log.append("one");
    const head = join(log.logsDirectory, "audit-dev.head.json");
    const old = await readFile(head);
    await log.append("two");
    await log.append("three");
    await anchored();
    const [path = ""] = await log.files();
    const [first] = (await readFile(path, "utf8")).split("\n");
    await writeFile(path, `${first}\n`);
    await writeFile(head, old);
    expect((await verifyAudit(log.logsDirectory, "dev")).firstBad).toBeUndefined();
    expect((await verified()).firstBad?.reason).toBe("2 records are missing (3 were anchored)");
  });

  test("is given up by a command alone, with a reason that is recorded [S8]", async () => {
    await log.append("one");
    await log.append("two");
    await anchored();
    await removeAll();
    const given = await command("anchor", "--reason", "the disk is gone");
    expect(given).toMatchObject({ exitCode: 0, stderr: "" });
    expect(await verified()).toMatchObject({ records: 1 });
    expect((await verified()).firstBad).toBeUndefined();
    const listed = await command("list", "--json");
    expect(JSON.parse(listed.stdout)).toMatchObject([
      { operation: "audit.anchor", parameters: { reason: "the disk is gone", givenUp: { records: 2 } } },
    ]);
  });

  test("is anchored by the command that has written to it, in the same run [S8]", async () => {
    await command("anchor", "--reason", "the first one");
    await log.append("two");
    await command("anchor", "--reason", "another");
    expect(await anchor()).toMatchObject({ records: 3 });
  });

  test("is told apart from those of other folders, machines and stacks", async () => {
    await log.append("one");
    await anchored();
    const another = await emptyAuditLog();
    await another.append("two");
    expect(await anchorAudit(target, another.logsDirectory)).toBe("anchored");
    expect((await verified()).firstBad).toBeUndefined();
    const fresh = await emptyAuditLog();
    const told = await run(["verify"], { logsDirectory: fresh.logsDirectory, target });
    expect(told).toMatchObject({
      exitCode: 0,
      stderr: expect.stringContaining("keep a log of this stack too"),
    });
  });

  test("cannot be forged by who may write all data [S8]", async () => {
    await log.append("one");
    await anchored();
    const credential = { role: "writer", password: "secret of the writer" };
    await applyRole(server.target, {
      kind: "administrator",
      name: credential.role,
      password: credential.password,
    });
    await withSession(
      server,
      credential,
      async (client) => {
        await expectRefused(client, "COMMENT ON TABLESPACE pg_global IS 'x'", "42501");
        await expectRefused(client, "UPDATE pg_shdescription SET description = 'x'", "42501");
        await expectRefused(client, "DELETE FROM pg_shdescription", "42501");
      },
      "postgres",
    );
  });
});

describe("a log that no anchor is known of", () => {
  beforeAll(() => runAsSuperuser(server.target, "COMMENT ON TABLESPACE pg_global IS NULL"));

  test("of a stack that is up has records [S8]", async () => {
    const told = await command("verify");
    expect(told.exitCode).toBe(1);
    expect(told.stdout).toContain("the stack is up, and no record of it is here");
  });

  test("of a server that is away is verified by itself, and that is told", async () => {
    await log.append("one");
    const away = { ...target, container: "pgstack-test-nowhere" };
    const told = await run(["verify"], { logsDirectory: log.logsDirectory, target: away });
    expect(told).toMatchObject({
      exitCode: 0,
      stdout: "ok  1 records of stack dev, none removed or edited\n",
      stderr: expect.stringContaining("not compared with the server"),
    });
  });
});

test.each([
  ["NUL bytes", "\0\0\0\0"],
  ["text that is no record", "deleted by nobody"],
  ["a record with control characters", '{"time":"\u001b[2J'],
  ["bytes that are no text", Buffer.from([0xff, 0xfe, 0x41])],
])(
  "%s without a line end at the end of the log are found, since no crash leaves them [S8]",
  async (_, bytes) => {
    await log.append("one");
    const [path = ""] = await log.files();
    await appendFile(path, bytes);
    expect((await verifyAudit(log.logsDirectory, "dev")).firstBad).toMatchObject({ file: path, line: 2 });
  },
);
