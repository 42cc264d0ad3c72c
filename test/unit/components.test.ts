import * as pulumi from "@pulumi/pulumi";
import { beforeAll, beforeEach, describe, expect, test } from "vitest";
import type { ServerArgs } from "../../components/server.ts";
import { coresText } from "../../components/server-container.ts";
import { known, type Recorded, type Registered, recordResources } from "../support/pulumi-mocks.ts";

const ROLES = { administrator: "administrator", application: "application", readonly: "readonly" };
const IMAGE = {
  reference: "postgres:16-alpine",
  imageId: "sha256:image",
  pinned: "postgres@sha256:digest",
  digest: "sha256:digest",
  major: 16,
  agent: true,
  volumes: ["/var/lib/postgresql/data"],
};
const SERVER: ServerArgs = {
  stack: "dev",
  containerName: "pgstack-dev",
  database: "app",
  roles: ROLES,
  image: IMAGE,
  networkName: "pgstack-dev",
  dataVolume: "pgstack-dev-data",
  configurationVolume: "pgstack-dev-configuration",
  tls: { mode: "off" },
  tlsEnabled: false,
  parameters: {},
  limits: { memoryMegabytes: 1024, cpus: 2, processes: 256, sharedMemoryMegabytes: 256 },
  environment: "test",
  logsDirectory: "logs",
};

let recorded: Recorded;
let components: typeof import("../../components/index.ts");

beforeAll(async () => {
  recorded = await recordResources({ result: "generated", networkId: "network-id" });
  components = await import("../../components/index.ts");
});

beforeEach(() => recorded.clear());

/** Of what is written to these file systems nothing runs, and nothing is a device or somebody else's program. */
function expectInert(tmpfs: unknown): void {
  for (const [path, options] of Object.entries(tmpfs as Record<string, string>))
    expect(options.split(","), path).toEqual(expect.arrayContaining(["noexec", "nosuid", "nodev"]));
}

describe("S7 the server's container", () => {
  test("S7 may do nothing but be PostgreSQL", async () => {
    const { inputs } = await container(SERVER);
    expect(inputs).toMatchObject({
      user: "postgres",
      readOnly: true,
      privileged: false,
      capabilities: { drops: ["ALL"] },
      securityOpts: ["no-new-privileges:true"],
      image: "sha256:image",
      memory: 1024,
      memorySwap: 1024,
      cpus: "2.0",
      shmSize: 256,
      restart: "unless-stopped",
    });
    expect(inputs["capabilities"]).not.toHaveProperty("adds");
    expect(Object.keys(inputs["tmpfs"] as object)).toEqual(["/tmp", "/var/run/postgresql"]);
    expectInert(inputs["tmpfs"]);
    expect(inputs["mounts"]).toEqual([
      { type: "volume", source: "pgstack-dev-data", target: "/var/lib/postgresql/data" },
      { type: "volume", source: "pgstack-dev-configuration", target: "/etc/pgstack", readOnly: true },
    ]);
    expect(JSON.stringify(inputs)).not.toMatch(/POSTGRES_PASSWORD=|docker\.sock/);
  });

  test("S7 L8 stops with SIGINT and two minutes of grace, or as long as is asked for", async () => {
    expect((await container(SERVER)).inputs).toMatchObject({
      stopSignal: "SIGINT",
      stopTimeout: 120,
      destroyGraceSeconds: 120,
    });
    expect((await container({ ...SERVER, stopGraceSeconds: 300 })).inputs).toMatchObject({
      stopTimeout: 300,
      destroyGraceSeconds: 300,
    });
  });

  test("L1 is asked for its health over TCP, on the port that it listens on", async () => {
    const { inputs } = await container({ ...SERVER, port: 5433 });
    const { tests } = inputs["healthcheck"] as { tests: string[] };
    expect(tests).toEqual(expect.arrayContaining(["pg_isready", "--host=127.0.0.1", "--port=5433"]));
  });

  test("S4 has no port on the host unless the stack publishes one, and then on the named address alone", async () => {
    const inside = await container(SERVER);
    expect(inside.inputs["ports"]).toEqual([]);
    expect(inside.inputs["networksAdvanced"]).toEqual([{ name: "pgstack-dev", aliases: ["postgres"] }]);
    const publish = { address: "127.0.0.1", port: 15432 };
    const published = await container({ ...SERVER, publish, accessNetworkName: "pgstack-dev-access" });
    expect(published.inputs["ports"]).toEqual([
      { internal: 5432, external: 15432, ip: "127.0.0.1", protocol: "tcp" },
    ]);
    expect(published.inputs["networksAdvanced"]).toEqual([
      { name: "pgstack-dev", aliases: ["postgres"] },
      { name: "pgstack-dev-access" },
    ]);
  });

  test("P3 is deleted before its replacement is made, since its name is fixed", async () => {
    expect((await container(SERVER)).deleteBeforeReplace).toBe(true);
  });

  test("P5 a parameter that takes a restart makes a new container, one that takes a reload does not", async () => {
    const label = async (parameters: ServerArgs["parameters"]) => {
      const { inputs } = await container({ ...SERVER, parameters });
      return (inputs["labels"] as { label: string; value: string }[]).find(
        (one) => one.label === "pgstack.restart",
      )?.value;
    };
    const before = await label({ max_connections: 100, work_mem: "4MB" });
    expect(await label({ max_connections: 100, work_mem: "8MB" })).toBe(before);
    expect(await label({ max_connections: 101, work_mem: "4MB" })).not.toBe(before);
  });

  test.each([
    [0.25, "0.25"],
    [0.5, "0.5"],
    [1, "1.0"],
    [1.5, "1.5"],
    [2, "2.0"],
    [10, "10."],
    [12, "12.0"],
    [10.05, "10.1"],
    [100, "100."],
  ])("P3 %d cores are written as the provider reads them back: %s", (cores, text) => {
    expect(coresText(cores)).toBe(text);
  });
});

describe("L9 volumes", () => {
  test("L9 P4 are kept and protected when asked, never replaced for their labels", async () => {
    const args = {
      stack: "prod",
      volumeName: "data",
      configurationVolumeName: "configuration",
      retain: true,
    };
    const volume = new components.DataVolume("kept", args, { protect: true });
    await known(volume.configurationVolumeName);
    const volumes = recorded.ofType("docker:index/volume:Volume");
    expect(volumes).toHaveLength(2);
    for (const one of volumes) {
      expect(one).toMatchObject({ protect: true, retainOnDelete: true });
      expect(one.ignoreChanges).toEqual(expect.arrayContaining(["labels", "driverOpts"]));
    }
  });

  test("P4 go with the stack by default; a data volume that was adopted stays", async () => {
    const args = { stack: "dev", volumeName: "data", configurationVolumeName: "configuration" };
    await known(new components.DataVolume("own", args).configurationVolumeName);
    expect(recorded.ofType("docker:index/volume:Volume").map(({ retainOnDelete }) => retainOnDelete)).toEqual(
      [false, false],
    );
    recorded.clear();
    await known(new components.DataVolume("adopted", { ...args, adopt: true }).configurationVolumeName);
    const kept = Object.fromEntries(
      recorded.ofType("docker:index/volume:Volume").map((one) => [one.inputs["name"], one.retainOnDelete]),
    );
    expect(kept).toEqual({ data: true, configuration: false });
  });
});

describe("S4 networks", () => {
  test("S4 the stack's network is internal; from the one to publish from nothing begins, and the agent has one of its own", async () => {
    await known(new components.IsolatedNetwork("inside", { stack: "dev", networkName: "n" }).networkId);
    expect(networks()).toEqual([{ network: "n", internal: true }]);
    recorded.clear();
    const wanted = { stack: "dev", networkName: "n", access: true, storage: true };
    const all = new components.IsolatedNetwork("all", wanted);
    for (const id of [all.networkId, all.accessNetworkId, all.storageNetworkId])
      await known(id ?? pulumi.output(""));
    expect(networks()).toEqual([
      { network: "n", internal: true },
      { network: "n-storage", internal: false, outgoing: true },
      { network: "n-access", internal: false, outgoing: false },
    ]);
  });
});

describe("S1 S2 roles and their secrets", () => {
  test("S2 passwords are secrets, of the length that is asked for, made anew for a raised rotation", async () => {
    const secrets = new components.RoleSecrets("secrets", { length: 40, rotations: { application: 3 } });
    expect(await pulumi.isSecret(secrets.passwords.application)).toBe(true);
    await known(secrets.passwords.readonly);
    const made = recorded
      .ofType("random:index/randomPassword:RandomPassword")
      .map(({ name, inputs }) => [name, inputs["length"], inputs["keepers"]]);
    expect(made).toEqual([
      ["secrets-administrator", 40, { rotation: "0" }],
      ["secrets-application", 40, { rotation: "3" }],
      ["secrets-readonly", 40, { rotation: "0" }],
    ]);
  });

  test("L9 roles are not taken out of a cluster that goes, or is kept, with its server", async () => {
    const server = new components.Server("with-database", SERVER);
    const database = new components.Database("database", {
      target: server.target,
      roles: ROLES,
      passwords: { administrator: "a", application: "b", readonly: "c" },
      firstProvision: server.firstProvision,
      deletedWith: server.container,
    });
    await known(database.databaseName);
    const roles = recorded.ofType(":Role");
    expect(roles).toHaveLength(3);
    for (const role of roles) expect(role.deletedWith).toMatch(/Container::with-database$/);
  });
});

/** Makes a server and returns what was asked of Docker for its container. */
async function container(args: ServerArgs): Promise<Registered> {
  recorded.clear();
  await known(new components.Server(`server-${Math.random()}`, args).containerId);
  const [found] = recorded.ofType("docker:index/container:Container");
  if (found === undefined) throw new Error("no container was declared");
  return found;
}

function networks(): unknown[] {
  return recorded.ofType(":Network").map(({ inputs: { network, internal, outgoing } }) => ({
    ...{ network, internal },
    ...(outgoing === undefined ? {} : { outgoing }),
  }));
}
