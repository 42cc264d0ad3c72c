import type Docker from "dockerode";
import { afterAll, beforeAll, describe, expect, test, vi } from "vitest";
import type { BackupEntry } from "../../agent/entry.ts";
import type { VerifyResult } from "../../agent/verify.ts";
import { agentContainer, callAgent } from "../../operations/agent.ts";
import { dockerEngine } from "../../operations/docker.ts";
import { executeInContainer } from "../../operations/execute.ts";
import { queryAsSuperuser, runAsSuperuser } from "../../operations/superuser.ts";
import { LiveStack } from "../support/security/live-stack.ts";
import { smallVolume } from "../support/small-volume.ts";
import { uniqueName } from "../support/volumes.ts";

const docker = dockerEngine();
const BACKUPS = uniqueName("backups");
let stack: LiveStack;
let holder: Docker.Container | undefined;

beforeAll(async () => {
  // A small disk of its own, which a test can fill; what is in it counts as memory of the container that wrote it. The agent
  // alone has it, and is killed: so another container holds it.
  holder = await smallVolume(BACKUPS, "700m");
  stack = await LiveStack.bringUp({ backup: true, backupVolumeName: BACKUPS, memoryLimit: "1500MB" });
  await runAsSuperuser(
    stack.target,
    "CREATE TABLE public.rows AS SELECT n, md5(n::text) AS text FROM generate_series(1, 1000000) n;",
    { database: "app", role: "administrator" },
  );
  await vi.waitFor(async () => expect((await list()).length).toBeGreaterThanOrEqual(2), {
    timeout: 60_000,
    interval: 500,
  });
  await backup();
});

afterAll(async () => {
  await holder?.remove({ force: true, v: true });
  await stack?.project.remove();
  await docker
    .getVolume(BACKUPS)
    .remove()
    .catch(() => {});
});

async function list(): Promise<BackupEntry[]> {
  return (await callAgent<{ entries: BackupEntry[] }>(stack.target, "list")).entries;
}

async function backup(kind = "logical"): Promise<BackupEntry> {
  const [entry] = await callAgent<BackupEntry[]>(stack.target, "backup", { kind, waitSeconds: 60 });
  if (entry === undefined) throw new Error("no backup was taken");
  return entry;
}

async function expectGood(id: string): Promise<void> {
  const [result] = await callAgent<VerifyResult[]>(stack.target, "verify", { id });
  expect(result?.problems).toEqual([]);
}

async function inAgent(script: string): Promise<string> {
  const container = agentContainer(stack.target.container);
  const target = { ...stack.target, container };
  const { stdout } = await executeInContainer(target, { command: ["sh", "-c", script] });
  return stdout.trim();
}

/** Ends the agent's work at once, without a word; the image has no program for it. */
const KILL = `for process in /proc/[0-9]*; do
  tr '\\0' ' ' <"$process/cmdline" 2>/dev/null | grep -q 'main.ts run back[u]p' && kill -KILL "\${process#/proc/}"
done; true`;

describe("F17 a backup that is cut off", () => {
  test.each(["dumping", "reading back", "storing"])(
    "F17 killed while %s: nothing half made is entered or has a final name; the older ones and the next run are fine",
    async (stage) => {
      const before = (await list()).map(({ id }) => id);
      const folders = (await inAgent("ls -A /backups/logical")).split("\n");
      const work = callAgent<BackupEntry[]>(
        stack.target,
        "backup",
        { kind: "logical", waitSeconds: 60 },
        {
          onStep: (text) => {
            if (text === stage) void inAgent(KILL);
          },
        },
      );
      const ended = await work.catch((error: unknown) => error);
      // The last stage may have come to its end before the signal did.
      if (stage !== "storing") expect(String(ended)).toMatch(/without an answer/);
      const after = (await list()).map(({ id }) => id);
      if (stage !== "storing") expect(after).toEqual(before);
      // Listed or not.
      if (stage !== "storing") expect((await inAgent("ls -A /backups/logical")).split("\n")).toEqual(folders);
      for (const id of after.filter((one) => !before.includes(one))) await expectGood(id);
      const next = await backup();
      expect((await list()).map(({ id }) => id)).toEqual([...after, next.id]);
      expect(await inAgent("ls -A /backups | grep unfinished || echo none")).toBe("none");
    },
  );

  test("F17 the caller goes away: the agent clears up at once", async () => {
    const before = (await list()).map(({ id }) => id);
    const gone = new AbortController();
    const left = callAgent(
      stack.target,
      "backup",
      { kind: "logical", waitSeconds: 60 },
      {
        signal: gone.signal,
        onStep: () => gone.abort(new Error("gone")),
      },
    );
    await expect(left).rejects.toThrow("gone");
    await expect
      .poll(() => inAgent("ls -A /backups | grep unfinished || echo none"), { timeout: 20_000 })
      .toBe("none");
    expect((await list()).map(({ id }) => id)).toEqual(before);
  });

  test("F17 the agent's container is killed in the middle of a physical backup: it comes back, and the next one is whole", async () => {
    const container = docker.getContainer(agentContainer(stack.target.container));
    let killing: Promise<unknown> | undefined;
    const killed = callAgent(
      stack.target,
      "backup",
      { kind: "full", waitSeconds: 60 },
      {
        onStep: () => {
          killing ??= container.kill().then(() => container.start());
        },
      },
    );
    await expect(killed).rejects.toThrow();
    await killing;
    const entry = await backup("full");
    await expectGood(entry.id);
  });
});

describe("F18 F20 F21 the backup folder", () => {
  test("F18 a full disk is told with the bytes needed and free; nothing of the try is left", async () => {
    const before = await list();
    await inAgent("head -c 900M /dev/zero >/backups/ballast 2>/dev/null; true");
    try {
      await expect(backup()).rejects.toThrow(/at least \d+ bytes are needed and \d+ are free/);
    } finally {
      await inAgent("rm /backups/ballast");
    }
    expect((await list()).map(({ id }) => id)).toEqual(before.map(({ id }) => id));
    await backup();
  });

  test.each([
    ["deleted", "rm /backups/metadata.json"],
    ["truncated", "truncate -s 100 /backups/metadata.json"],
  ])("F20 metadata.json %s: it is made again from the files alone", async (_how, harm) => {
    const before = (await list()).map(({ id }) => id);
    await inAgent(harm);
    expect((await list()).map(({ id }) => id)).toEqual(before);
    await callAgent(stack.target, "rebuild");
    const written = JSON.parse(await inAgent("cat /backups/metadata.json")) as { backups: BackupEntry[] };
    expect(written.backups.map(({ id }) => id)).toEqual(before);
  });

  test("F20 metadata.json of a later format is refused and not overwritten", async () => {
    await inAgent(
      `cp /backups/metadata.json /backups/keep && echo '{"format": 2, "all": []}' >/backups/metadata.json`,
    );
    await expect(backup()).rejects.toThrow(/is of format 2/);
    expect(await inAgent("cat /backups/metadata.json")).toBe('{"format": 2, "all": []}');
    await inAgent("mv /backups/keep /backups/metadata.json");
  });

  test("F21 two at once: the second waits, and both are whole", async () => {
    const [one, other] = await Promise.all([backup(), backup()]);
    expect(one.id).not.toBe(other.id);
    for (const { id } of [one, other]) await expectGood(id);
  });

  test("F21 one that may not wait is refused, naming what is at work", async () => {
    const hold = new AbortController();
    let held = () => {};
    const isHeld = new Promise<void>((resolve) => {
      held = resolve;
    });
    const holding = callAgent(
      stack.target,
      "hold",
      { purpose: "a restore" },
      { signal: hold.signal, onStep: held },
    );
    await isHeld;
    await expect(callAgent(stack.target, "backup", { kind: "logical", waitSeconds: 0 })).rejects.toThrow(
      /a restore has been at work since \S+: wait until it has ended/,
    );
    hold.abort(new Error("enough"));
    await expect(holding).rejects.toThrow("enough");
  });
});

describe("F19 F24 F52 F54 what is damaged", () => {
  test("F19 one byte of a dump is flipped: verify names the file, and the entry tells it", async () => {
    const entry = await backup();
    await inAgent(
      `printf '\\377' | dd of=/backups/logical/${entry.id}/database.dump bs=1 seek=2000 conv=notrunc 2>/dev/null`,
    );
    const [result] = await callAgent<VerifyResult[]>(stack.target, "verify", { id: entry.id });
    expect(result?.problems).toEqual([expect.stringMatching(/^database\.dump was changed/)]);
    const found = (await list()).find(({ id }) => id === entry.id);
    expect(found?.verification).toMatchObject({ result: "failed" });
    await inAgent(`rm -r /backups/logical/${entry.id}`);
  });

  test("F54 a file of a dump is missing: verify names it", async () => {
    const entry = await backup();
    await inAgent(`rm /backups/logical/${entry.id}/roles.json`);
    const [result] = await callAgent<VerifyResult[]>(stack.target, "verify", { id: entry.id });
    expect(result?.problems).toEqual(["roles.json is missing"]);
    await inAgent(`rm -r /backups/logical/${entry.id}`);
  });

  test("F19 F54 a file of a physical backup is damaged: verify says so", async () => {
    const entry = await backup("full");
    const file = await inAgent(
      `find /backups/pgbackrest/backup/main/${entry.id} -type f ! -name 'backup.manifest*' -size +8k | head -1`,
    );
    await inAgent(`printf '\\377' | dd of='${file}' bs=1 seek=4096 conv=notrunc 2>/dev/null`);
    const [result] = await callAgent<VerifyResult[]>(stack.target, "verify", { id: entry.id });
    expect(result?.problems.length).toBeGreaterThan(0);
    expect((await list()).find(({ id }) => id === entry.id)?.verification.result).toBe("failed");
    await inAgent(`rm -r /backups/pgbackrest/backup/main/${entry.id}`);
  });

  test("F52 a table's page is damaged on disk: the physical backup is not good, and older ones stay good", async () => {
    const older = await backup("full");
    const [row] = await queryAsSuperuser<{ path: string }>(
      stack.target,
      "SELECT pg_relation_filepath('public.rows') AS path",
      { database: "app" },
    );
    await runAsSuperuser(stack.target, "CHECKPOINT;");
    const file = `"$PGDATA"/${row?.path}`;
    const inServer = (script: string) =>
      executeInContainer(stack.target, { command: ["sh", "-c", `${script} 2>/dev/null`] });
    await inServer(`dd if=${file} of=/tmp/page bs=8192 skip=2 count=1`);
    await inServer(`printf 'xxxx' | dd of=${file} bs=1 seek=20000 conv=notrunc`);
    await expect(backup("full")).rejects.toThrow(
      new RegExp(`is not good and the ones before stay: .*${row?.path}`),
    );
    const newest = (await list()).at(-1);
    expect(newest?.verification.result).toBe("failed");
    expect((await list()).find(({ id }) => id === older.id)?.verification.result).toBe("ok");
    await inServer(`dd if=/tmp/page of=${file} bs=8192 seek=2 conv=notrunc && rm /tmp/page`);
    expect((await backup("full")).verification.result).toBe("ok");
  });

  test("F24 a segment that lacks in the archive is named, and a restore beyond it refused with the latest time", async () => {
    await backup("full");
    const segments: string[] = [];
    for (let count = 0; count < 4; count += 1) {
      const [row] = await queryAsSuperuser<{ segment: string }>(
        stack.target,
        "SELECT pg_walfile_name(pg_current_wal_lsn()) AS segment",
      );
      segments.push(row?.segment ?? "");
      await runAsSuperuser(
        stack.target,
        `INSERT INTO public.rows VALUES (${count}, 'x'); SELECT pg_switch_wal();`,
        {
          database: "app",
        },
      );
    }
    const [, lacking = ""] = segments;
    await expect
      .poll(() => inAgent(`find /backups/pgbackrest/archive -name '${segments.at(-1)}*'`), {
        timeout: 30_000,
      })
      .not.toBe("");
    // What was received of it goes once it is archived; until then it is no loss.
    await expect
      .poll(() => inAgent(`find /backups/stream -name '${lacking}*'`), { timeout: 60_000, interval: 500 })
      .toBe("");
    await inAgent(`find /backups/pgbackrest/archive -name '${lacking}*' -delete`);
    const { gaps } = await callAgent<{ gaps: { segments: string[] }[] }>(stack.target, "archive");
    expect(gaps).toEqual([{ repository: "local", segments: [lacking] }]);
    // Recovery to the end of the log would end there as if all were well: nothing but a newer backup leads past it.
    expect(await callAgent(stack.target, "drill", { waitSeconds: 60 })).toMatchObject({
      result: "failed",
      message: expect.stringContaining(`segment ${lacking} is missing from the archive`),
    });
    const time = new Date().toISOString();
    const refused = await stack.project.pgstack(["restore", "--time", time, "--yes"]);
    expect(refused.code).not.toBe(0);
    expect(refused.stderr).toContain(
      `segment ${lacking} is missing from the archive; the latest that can be reached is`,
    );
    expect(
      await queryAsSuperuser(stack.target, "SELECT count(*)::int AS n FROM public.rows", { database: "app" }),
    ).toEqual([{ n: 1_000_004 }]);
  });
});
