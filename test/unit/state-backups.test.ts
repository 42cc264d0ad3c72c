import { chmod, mkdir, readdir, readFile, stat, writeFile } from "node:fs/promises";
import { delimiter, join } from "node:path";
import { beforeEach, describe, expect, test } from "vitest";
import { rebuiltSettings } from "../../cli/state/rebuilt-settings.ts";
import { savedStates, saveState, withStateSaved } from "../../toolchain/state-backups.mjs";
import { temporaryFolder } from "../support/temporary-folder.ts";

let folder: string;
let environment: NodeJS.ProcessEnv;

beforeEach(async () => {
  folder = await temporaryFolder();
  environment = {
    PATH: [folder, "/usr/bin", "/bin"].join(delimiter),
    PULUMI_BACKEND_URL: "s3://somewhere",
    PGSTACK_STATE_BACKUPS: join(folder, "saved"),
  };
});

/** What `pulumi stack export` says from now on. */
async function exports(value: unknown): Promise<void> {
  const program = join(folder, "pulumi");
  await writeFile(program, `#!/bin/sh\ncat << 'EOF'\n${JSON.stringify(value)}\nEOF\n`);
  await chmod(program, 0o755);
}

/** A file as an earlier save has left it. */
async function savedAt(time: Date): Promise<void> {
  await mkdir(join(folder, "saved", "dev"), { recursive: true });
  const name = `${time.toISOString().replaceAll(/[-:.]/g, "")}-0123456789ab.json`;
  await writeFile(join(folder, "saved", "dev", name), "{}");
}

describe("G2 saved states", () => {
  test("another backend is asked by pulumi; nobody else may read the file, and the same is not saved twice", async () => {
    const state = { version: 3, deployment: { resources: [] } };
    await exports(state);
    const saved = await saveState("dev", environment);
    expect(JSON.parse(await readFile(saved?.path ?? "", "utf8"))).toEqual({ ...state, savedBy: "pulumi" });
    expect((await stat(saved?.path ?? "")).mode & 0o777).toBe(0o600);
    expect(await saveState("dev", environment)).toEqual(saved);
    await exports({ ...state, version: 4 });
    expect((await saveState("dev", environment))?.id).not.toBe(saved?.id);
    expect(await savedStates("dev", environment)).toHaveLength(2);
    expect(await savedStates("prod", environment)).toEqual([]);
  });

  test("before and after, and work that changes nothing leaves one", async () => {
    await exports({ version: 3, deployment: { step: 1 } });
    await withStateSaved("dev", environment, async () => {});
    expect(await savedStates("dev", environment)).toHaveLength(1);
    const told = await withStateSaved("dev", environment, async (env) => {
      await exports({ version: 3, deployment: { step: 2 } });
      return env["PGSTACK_STATE_SAVED"];
    });
    expect(told).toBe("1");
    expect(await savedStates("dev", environment)).toHaveLength(2);
  });

  test("kept are the newest thirty, and the newest of each of the last thirty days", async () => {
    const now = Date.now();
    const noon = (days: number) => new Date(now - days * 86_400_000).toISOString().slice(0, 11);
    for (let second = 10; second < 39; second++) await savedAt(new Date(now - second * 1_000));
    for (const days of [2, 3, 29, 40]) {
      await savedAt(new Date(`${noon(days)}01:00:00.000Z`));
      await savedAt(new Date(`${noon(days)}23:00:00.000Z`));
    }
    await exports({ version: 3, deployment: {} });
    await saveState("dev", environment);
    const kept = (await savedStates("dev", environment)).map(({ savedAt: at }) => at);
    expect(kept.slice(0, 3)).toEqual([29, 3, 2].map((days) => `${noon(days)}23:00:00.000Z`));
    expect(kept).toHaveLength(33);
    expect((await readdir(join(folder, "saved", "dev"))).filter((name) => name.endsWith(".new"))).toEqual([]);
  });
});

describe("F41 settings of a stack whose state is made anew", () => {
  const TEXT = `# Ours.
encryptionsalt: v1:abc
config:
  pgstack:environment: production # the real one
  pgstack:backupEncryption: "true"
  pgstack:backupS3:
    bucket: backups
    key:
      secure: v1:one
    secret:
      secure: v1:two
  pgstack:restore:
    latest: true
  pgstack:allowRestoreUntil: "2026-01-01T00:00:00Z"
  other:token:
    secure: v1:three
`;
  const running = { backupKey: "k", storage: { key: "access", secret: "hidden" } };

  test("passphrase lost: what it encrypts goes, what the running system knows is set again", () => {
    const { text, removed, secrets } = rebuiltSettings(TEXT, running, true);
    expect(text).toBe(`# Ours.
config:
  pgstack:environment: production # the real one
  pgstack:backupEncryption: "true"
  pgstack:backupS3:
    bucket: backups
`);
    expect(removed).toEqual(["restore", "allowRestoreUntil", "other:token"]);
    expect(secrets).toEqual([
      ["backupKey", "k"],
      ["backupS3.key", "access"],
      ["backupS3.secret", "hidden"],
    ]);
    // Killed after it was written: the second time finds the same.
    expect(rebuiltSettings(text, running, true)).toEqual({ text, removed: [], secrets });
  });

  test("only the state lost: secrets of the config stay", () => {
    const { text, removed, secrets } = rebuiltSettings(TEXT, running, false);
    expect(removed).toEqual(["restore", "allowRestoreUntil"]);
    expect(secrets).toEqual([["backupKey", "k"]]);
    expect(text).toContain("encryptionsalt: v1:abc");
    expect(text).toContain("secure: v1:three");
  });

  test("a key that the settings have stays, and one that nothing is encrypted with is not set", () => {
    const own = 'config:\n  pgstack:backupEncryption: "true"\n  pgstack:backupKey: mine\n';
    expect(rebuiltSettings(own, running, false).secrets).toEqual([]);
    expect(rebuiltSettings("config: {}\n", running, false).secrets).toEqual([]);
  });
});
