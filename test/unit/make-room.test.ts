import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdir, readdir, readFile, utimes, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { describe, expect, onTestFinished, test } from "vitest";
import { HELD_FILE, HOLD } from "../../operations/before-start/hold.ts";
import { MAKE_ROOM } from "../../operations/before-start/room.ts";
import { temporaryFolder } from "../support/temporary-folder.ts";

const MEGABYTE = 1024;
/** What the room is as long as nothing is removed, and what each file gives back. */
interface Volume {
  readonly freeKilobytes: number;
  readonly state: string;
  /** Paths below the volume's root, the oldest first, with the kilobytes that each gives back. */
  readonly files?: Readonly<Record<string, number>>;
  readonly segmentBytes?: number;
}

/** A volume's folder with programs in front of the machine's own: free room is what the test says and the files give back. */
class FakeVolume {
  readonly root: string;
  readonly #programs: string;
  readonly #held: string;

  private constructor(root: string, programs: string) {
    this.root = root;
    this.#programs = programs;
    this.#held = join(programs, "held");
  }

  static async create({ freeKilobytes, state, files = {}, segmentBytes }: Volume): Promise<FakeVolume> {
    const volume = new FakeVolume(await temporaryFolder(), await temporaryFolder());
    await mkdir(join(volume.root, "current/base"), { recursive: true });
    for (const [index, path] of Object.keys(files).entries()) {
      const file = join(volume.root, path);
      await mkdir(join(file, ".."), { recursive: true });
      await writeFile(file, "");
      await utimes(file, index, index);
    }
    const gone = Object.entries(files).map(
      ([path, kilobytes]) => `[ -e '${join(volume.root, path)}' ] || kilobytes=$((kilobytes + ${kilobytes}))`,
    );
    await volume.setFree(freeKilobytes);
    const room = join(volume.#programs, "free");
    await volume.#program("df", [
      `kilobytes=$(cat '${room}')`,
      ...gone,
      "echo Filesystem 1024-blocks Used Available Capacity Mounted on",
      'echo "/dev/some 999999 1 $kilobytes 1% /somewhere"',
    ]);
    await volume.#program("pg_controldata", [
      `echo "Database cluster state:               ${state}"`,
      ...(segmentBytes === undefined ? [] : [`echo "Bytes per WAL segment:                ${segmentBytes}"`]),
    ]);
    return volume;
  }

  async setFree(kilobytes: number): Promise<void> {
    await writeFile(join(this.#programs, "free"), String(kilobytes));
  }

  /** Starts what comes before the server; what it ends with is its last line. */
  start(): { readonly child: ChildProcess; readonly said: () => string; readonly ended: Promise<unknown[]> } {
    const script = `${`${HOLD}\n${MAKE_ROOM}`.replaceAll(HELD_FILE, this.#held)}\necho "on with it" >&2`;
    const child = spawn("sh", ["-c", script], {
      stdio: ["ignore", "ignore", "pipe"],
      env: {
        PATH: `${this.#programs}:${process.env.PATH}`,
        root: this.root,
        PGDATA: join(this.root, "current"),
      },
    });
    onTestFinished(() => void child.kill("SIGKILL"));
    let said = "";
    child.stderr?.on("data", (piece: Buffer) => {
      said += piece;
    });
    return { child, said: () => said, ended: once(child, "close") };
  }

  held(): Promise<string> {
    return readFile(this.#held, "utf8").catch(() => "");
  }

  async files(): Promise<string[]> {
    const entries = await readdir(this.root, { recursive: true, withFileTypes: true });
    return entries
      .filter((entry) => entry.isFile())
      .map((entry) => join(entry.parentPath, entry.name).slice(this.root.length + 1))
      .sort();
  }

  async #program(name: string, lines: readonly string[]): Promise<void> {
    await writeFile(join(this.#programs, name), `#!/bin/sh\n${lines.join("\n")}\n`, { mode: 0o700 });
  }
}

describe("a data volume without room, before the server starts", () => {
  test.each([
    ["after a crash, with room for a segment", "in production", 17 * MEGABYTE],
    ["after a crash, with room for a smaller segment", "in crash recovery", 2 * MEGABYTE, 1024 ** 2],
    ["shut down in order, with a little room", "shut down", MEGABYTE],
  ])("%s: it starts", async (_which, state, freeKilobytes, segmentBytes?: number) => {
    const volume = await FakeVolume.create({
      ...{ freeKilobytes, state },
      ...(segmentBytes === undefined ? {} : { segmentBytes }),
    });
    const { said, ended } = volume.start();
    expect((await ended)[0]).toBe(0);
    expect(said()).toBe("on with it\n");
  });

  test.each([
    [
      "after a crash",
      "in production",
      3 * MEGABYTE,
      /3 MB are free and 17 MB are needed to recover, 14 MB more/,
    ],
    ["cut off in its recovery", "in crash recovery", 17 * MEGABYTE - 1, /16 MB are free .* 1 MB more/],
    [
      "after a crash, with larger segments",
      "in production",
      30 * MEGABYTE,
      /65 MB are needed/,
      64 * 1024 ** 2,
    ],
    [
      "shut down in order",
      "shut down",
      MEGABYTE - 1,
      /0 MB are free and 1 MB are needed to start, 1 MB more/,
    ],
    ["that cannot be told", "", 3 * MEGABYTE, /17 MB are needed to recover/],
  ])(
    "%s: it is held and says why, and goes on as soon as there is room",
    async (_which, state, freeKilobytes, reason, segmentBytes?: number) => {
      const volume = await FakeVolume.create({
        ...{ freeKilobytes, state },
        ...(segmentBytes === undefined ? {} : { segmentBytes }),
      });
      const { said, ended } = volume.start();
      await expect.poll(() => volume.held()).toMatch(reason);
      expect(await volume.held()).toMatch(/^the data volume is full \(No space left on device\): .*\n$/);
      await volume.setFree(100 * MEGABYTE);
      expect((await ended)[0]).toBe(0);
      expect(said()).toMatch(
        /^FATAL: .*\nLOG: {2}the data volume has room again: the server starts\non with it\n$/,
      );
      expect(await volume.held()).toBe("");
    },
  );

  test("held, its reason follows the room, and the log has it once", async () => {
    const volume = await FakeVolume.create({ freeKilobytes: 3 * MEGABYTE, state: "in production" });
    const { said } = volume.start();
    for (const free of [3, 9, 5]) {
      await volume.setFree(free * MEGABYTE);
      await expect.poll(() => volume.held(), { timeout: 10_000 }).toContain(`${free} MB are free`);
    }
    expect(said()).toMatch(/^FATAL: .* 3 MB are free .*\n$/);
  });

  test.each(["SIGINT", "SIGTERM"] as const)("held, it ends at once by %s, as in order", async (signal) => {
    const volume = await FakeVolume.create({ freeKilobytes: 0, state: "in production" });
    const { child, said, ended } = volume.start();
    await expect.poll(() => volume.held()).not.toBe("");
    // The pause that it has begun keeps the pipe open; the process itself is gone before.
    child.kill(signal);
    expect((await once(child, "exit"))[0]).toBe(0);
    await ended;
    expect(said()).not.toContain("on with it");
  });

  const LOGS = {
    "current/log/monday.log": MEGABYTE,
    "current/log/tuesday.log": MEGABYTE,
    "current/log/wednesday.log": MEGABYTE,
    "current/log/thursday.log": MEGABYTE,
  };
  const SCRATCH = {
    "current/base/pgsql_tmp/pgsql_tmp42.0": 8 * MEGABYTE,
    "current/base/pgsql_tmp/pgsql_tmp42.1.fileset/0.0": 0,
    "current/base/5/t3_16384": MEGABYTE,
    "current/base/5/t3_16384_fsm": 0,
    "current/pg_wal/xlogtemp.42": MEGABYTE,
  };
  const KEPT = {
    "current/base/5/16384": 0,
    "current/base/5/PG_VERSION": 0,
    "current/pg_wal/000000010000000000000001": 0,
    "current/PG_VERSION": 0,
  };

  test("what PostgreSQL removes at its start goes first, and no more than is needed", async () => {
    const files = { ...SCRATCH, ...KEPT, ...LOGS, ballast: 64 * MEGABYTE };
    const volume = await FakeVolume.create({ freeKilobytes: 7 * MEGABYTE, state: "in production", files });
    const { ended, said } = volume.start();
    expect((await ended)[0]).toBe(0);
    expect(said()).toBe("on with it\n");
    expect(await volume.files()).toEqual([...Object.keys({ ...KEPT, ...LOGS }), "ballast"].sort());
  });

  test("then the ballast", async () => {
    const files = { ...KEPT, ...LOGS, ballast: 64 * MEGABYTE };
    const volume = await FakeVolume.create({ freeKilobytes: 0, state: "in production", files });
    const { ended, said } = volume.start();
    expect((await ended)[0]).toBe(0);
    expect(said()).toMatch(/^LOG: .* the ballast file is removed, to recover with its room\non with it\n$/);
    expect(await volume.files()).toEqual(Object.keys({ ...KEPT, ...LOGS }).sort());
  });

  test("then logs, the oldest first and as many as are needed", async () => {
    const files = { ...KEPT, ...LOGS };
    const volume = await FakeVolume.create({ freeKilobytes: 16 * MEGABYTE, state: "in production", files });
    const { ended, said } = volume.start();
    expect((await ended)[0]).toBe(0);
    expect(said()).toMatch(/^LOG: .* the old log monday\.log is removed\non with it\n$/);
    const { "current/log/monday.log": _, ...rest } = LOGS;
    expect(await volume.files()).toEqual(Object.keys({ ...KEPT, ...rest }).sort());
  });

  test("the two newest logs stay, and what restores have kept is named", async () => {
    const files = { ...KEPT, ...LOGS, "previous-20260301/PG_VERSION": 0 };
    const volume = await FakeVolume.create({ freeKilobytes: 0, state: "in production", files });
    volume.start();
    await expect
      .poll(() => volume.held())
      .toMatch(/; pgstack restore --forget removes what restores have kept/);
    expect(await volume.held()).toMatch(/2 MB are free .* 15 MB more/);
    const { "current/log/monday.log": _, "current/log/tuesday.log": __, ...rest } = LOGS;
    expect(await volume.files()).toEqual(
      [...Object.keys({ ...KEPT, ...rest }), "previous-20260301/PG_VERSION"].sort(),
    );
  });
});
