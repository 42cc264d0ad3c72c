import type Docker from "dockerode";
import { beforeEach, describe, expect, test, vi } from "vitest";
import { withRestorer } from "../../operations/restore/restorer.ts";
import { seedCluster } from "../../operations/restore/seed.ts";
import type { Target } from "../../operations/target.ts";

const TARGET = { stack: "dev", container: "pgstack-dev" } as Target;
const TMPFS = { "/tmp": "rw,noexec,nosuid,nodev,size=256m,mode=1777" };

/** The containers that were asked for. */
const engine = vi.hoisted(() => ({ made: [] as Docker.ContainerCreateOptions[] }));

vi.mock("../../operations/docker.ts", async (original) => ({
  ...(await original<typeof import("../../operations/docker.ts")>()),
  dockerEngine: () => ({
    createContainer: async (options: Docker.ContainerCreateOptions) => {
      engine.made.push(options);
      return { start: async () => {}, remove: async () => {} };
    },
  }),
  // The agent, as a hand has made it that is more than it should be.
  findContainer: async (_docker: Docker, name: string) =>
    name === "pgstack-dev-agent"
      ? {
          Image: "sha256:image",
          Config: { Env: ["LANG=C"], Labels: { "pgstack.stack": "dev", "pgstack.agent": "x" } },
          NetworkSettings: { Networks: {} },
          HostConfig: {
            ...{ Privileged: true, CapAdd: ["SYS_ADMIN"], Tmpfs: TMPFS, Memory: 512, MemorySwap: 512 },
            ...{ NanoCpus: 1, Binds: ["/:/host"], PidMode: "host" },
            Mounts: [
              { Type: "volume", Source: "data", Target: "/var/lib/postgresql/data", ReadOnly: true },
              { Type: "volume", Source: "configuration", Target: "/etc/pgstack", ReadOnly: true },
            ],
          },
        }
      : undefined,
  findVolume: async () => ({ Labels: {} }),
}));
vi.mock("../../operations/agent.ts", async (original) => ({
  ...(await original<typeof import("../../operations/agent.ts")>()),
  callAgent: async () => ({}),
}));
vi.mock("../../operations/volume/cluster.ts", () => ({ lookIntoCluster: async () => ({ empty: true }) }));
vi.mock("../../operations/volume-files.ts", () => ({ writeContainerFiles: async () => {} }));

beforeEach(() => {
  engine.made = [];
});

/** Everything but its own user's files is out of its reach. */
function expectConfined(options: Docker.ContainerCreateOptions | undefined): void {
  expect(options?.User).toBe("postgres");
  expect(options?.HostConfig).toMatchObject({
    ...{ CapDrop: ["ALL"], SecurityOpt: ["no-new-privileges:true"], NetworkMode: "none", Tmpfs: TMPFS },
  });
  for (const way of [
    "CapAdd",
    "Privileged",
    "Binds",
    "Devices",
    "PidMode",
    "IpcMode",
    "UsernsMode",
    "PortBindings",
  ])
    expect(options?.HostConfig).not.toHaveProperty(way);
  expect(options).not.toHaveProperty("ExposedPorts");
}

describe("the containers that a restore works in [S7]", () => {
  test("may write to the data, and are confined whatever the agent is", async () => {
    expect(await withRestorer(TARGET, async (name) => name)).toBe("pgstack-dev-restore");
    const [options] = engine.made;
    expectConfined(options);
    expect(options?.HostConfig).toMatchObject({ ReadonlyRootfs: true, Memory: 512, MemorySwap: 512 });
    expect(options?.HostConfig?.Mounts?.map(({ Source, ReadOnly }) => [Source, ReadOnly])).toEqual([
      ["data", false],
      ["configuration", true],
    ]);
    // It is no agent that health checks would ask.
    expect(options?.Labels).toEqual({ "pgstack.stack": "dev" });
  });

  test("of a new stack read the other one's backups, and are as confined", async () => {
    await seedCluster(
      TARGET,
      { type: "latest" },
      {
        ...{ dataVolume: "data", imageId: "sha256:image", agent: "{}", pgbackrest: "", storageAuthority: "" },
        ...{ source: { type: "volume", place: "backups" }, network: "", labels: {} },
        limits: { memoryMegabytes: 1, cpus: 1 },
      },
    );
    const [options] = engine.made;
    expectConfined(options);
    expect(options?.HostConfig).toMatchObject({ Memory: 1024 ** 2, MemorySwap: 1024 ** 2 });
    expect(options?.HostConfig?.Mounts).toContainEqual(
      expect.objectContaining({ Source: "backups", ReadOnly: true }),
    );
  });
});
