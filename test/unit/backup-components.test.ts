import { beforeAll, beforeEach, describe, expect, test } from "vitest";
import { known, type Recorded, recordResources } from "../support/pulumi-mocks.ts";

let recorded: Recorded;
let components: typeof import("../../components/index.ts");

beforeAll(async () => {
  recorded = await recordResources({ result: "a generated key" });
  components = await import("../../components/index.ts");
});

beforeEach(() => recorded.clear());

const STORAGE = { stack: "dev", prefix: "pgstack-dev", volumeName: "pgstack-dev-backups" };
const FILES = {
  target: { stack: "dev", container: "pgstack-dev", port: 5432, database: "app" },
  ...{ volume: "pgstack-dev-agent", imageId: "sha256:image", code: "code" },
  ...{ dataDirectory: "/var/lib/postgresql/data/current", jobs: 2, local: true, fullDays: 7 },
  schedule: { backup: "0 2 * * *", drill: "30 4 * * 0" },
  retention: { days: 7, weeks: 4, months: 6 },
  verification: { coreTables: [], sql: [] },
  logsDirectory: "logs",
};

async function agentInputs(networkName?: string): Promise<Record<string, unknown>> {
  const agent = new components.Agent("agent", {
    ...{ stack: "dev", containerName: "pgstack-dev-agent", imageId: "sha256:image" },
    imageVolumes: ["/var/lib/postgresql"],
    dataVolume: "pgstack-dev-data",
    storage: new components.BackupStorage("backup", STORAGE),
    fingerprint: "abc",
    ...(networkName === undefined ? {} : { networkName }),
    limits: { memoryMegabytes: 512, cpus: 1 },
    logsDirectory: "logs",
  });
  await known(agent.containerName);
  return recorded.ofType("container:Container").at(-1)?.inputs ?? {};
}

describe("S7 the agent's container", () => {
  test("S7 may read the data and nothing more of it, has nothing of the server's configuration, no network and no way out", async () => {
    const inputs = await agentInputs();
    expect(inputs).toMatchObject({
      ...{ user: "postgres", readOnly: true, privileged: false, networkMode: "none", init: true },
      ...{
        capabilities: { drops: ["ALL"] },
        securityOpts: ["no-new-privileges:true"],
        memory: 512,
        memorySwap: 512,
      },
    });
    expect(inputs["tmpfs"]).toEqual({
      "/tmp": expect.stringMatching(/^rw,noexec,nosuid,nodev,/),
      "/var/lib/postgresql": expect.stringMatching(/^rw,noexec,nosuid,nodev,/),
    });
    expect(inputs["mounts"]).toEqual([
      { type: "volume", source: "pgstack-dev-data", target: "/var/lib/postgresql/data", readOnly: true },
      { type: "volume", source: "pgstack-dev-agent", target: "/etc/pgstack", readOnly: true },
      { type: "volume", source: "pgstack-dev-backups", target: "/backups" },
      { type: "volume", source: "pgstack-dev-socket", target: "/var/run/postgresql", readOnly: true },
      { type: "volume", source: "pgstack-dev-scratch", target: "/scratch" },
    ]);
    expect(inputs).not.toHaveProperty("ports");
    expect(inputs).not.toHaveProperty("envs");
  });

  test("L6 with an object storage it has the network for that alone", async () => {
    expect((await agentInputs("pgstack-dev-storage"))["networksAdvanced"]).toEqual([
      { name: "pgstack-dev-storage" },
    ]);
  });
});

describe("L9 what is kept", () => {
  test.each([true, false])("L9 retain %s is about the backups alone", async (retain) => {
    const storage = new components.BackupStorage("backup", { ...STORAGE, retain });
    await known(storage.backups.source as never);
    const kept = recorded.ofType("volume:Volume").filter((volume) => volume.retainOnDelete);
    expect(kept.map(({ name }) => name)).toEqual(retain ? ["backup-backups"] : []);
  });

  test("P5 a folder of the host takes the place of the volume", () => {
    const storage = new components.BackupStorage("backup", { ...STORAGE, directory: "/srv/backups" });
    expect(storage.backups).toEqual({ type: "bind", source: "/srv/backups", target: "/backups" });
    expect(recorded.ofType("volume:Volume").map(({ name }) => name)).not.toContain("backup-backups");
  });
});

describe("S2 L6 the files of backup", () => {
  test("S2 the key is in pgBackRest's file alone, and that is a secret", async () => {
    const files = new components.BackupFiles("backup-files", { ...FILES, encrypted: true });
    expect(await known(files.key as never)).toBe("a generated key");
    await new Promise((resolve) => setImmediate(resolve));
    const inputs = recorded.ofType("BackupConfiguration")[0]?.inputs ?? {};
    expect(String(inputs["agent"])).not.toContain("a generated key");
    expect(JSON.stringify(inputs["pgbackrest"])).toContain("repo1-cipher-pass=a generated key");
  });

  test("L6 without encryption there is no key", () => {
    const files = new components.BackupFiles("backup-files", { ...FILES, encrypted: false });
    expect(files.key).toBeUndefined();
    expect(recorded.ofType("RandomPassword")).toEqual([]);
  });

  test("P3 the agent starts anew when its code or what it works by changes, and only then", () => {
    const fingerprint = (more: object) =>
      new components.BackupFiles("backup-files", { ...FILES, encrypted: false, ...more }).fingerprint;
    const before = fingerprint({});
    expect(fingerprint({})).toBe(before);
    expect(fingerprint({ code: "other" })).not.toBe(before);
    expect(fingerprint({ fullDays: 14 })).not.toBe(before);
  });
});
