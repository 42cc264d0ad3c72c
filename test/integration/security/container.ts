import { randomBytes } from "node:crypto";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { dockerEngine } from "../../../operations/docker.ts";
import { inTurn } from "../../support/security/in-turn.ts";
import type { LiveStack } from "../../support/security/live-stack.ts";
import { PsqlClient } from "../../support/security/psql-client.ts";

const MEGABYTE = 1024 ** 2;

let stack: LiveStack;
let elsewhere: string;
let stranger: PsqlClient;

/** What its stack is brought up with. */
export const CONTAINER_LIMITS = { cpuLimit: 1.5, pidsLimit: 200, shmSize: "96MB" };

/** A limit of the server's control group, of version 1 or 2, as it stands inside of it. */
async function controlGroup(live: LiveStack, one: string, two: string): Promise<string> {
  return (await live.inside(`cat /sys/fs/cgroup/${two} 2>/dev/null || cat /sys/fs/cgroup/${one}`)).trim();
}

/** How many processes the server's container may have. */
export function processLimit(live: LiveStack): Promise<string> {
  return controlGroup(live, "pids/pids.max", "pids.max");
}

async function attempt(script: string): Promise<string> {
  return (await stack.inside(`{ ${script}; } 2>&1 || true`)).trim();
}

/** Lines of /proc/1/status by their names. */
async function serverStatus(): Promise<Record<string, string>> {
  const text = await stack.inside("cat /proc/1/status");
  return Object.fromEntries(text.split("\n").map((line) => line.split(/:\s*/, 2)));
}

/**
 * What the server's container may do, and whom its network lets in and out.
 *
 * @param live A stack that publishes no port, with {@link CONTAINER_LIMITS}.
 */
export function containerAndNetwork(live: () => LiveStack): void {
  beforeAll(async () => {
    stack = live();
    elsewhere = `pgstack-test-elsewhere-${randomBytes(4).toString("hex")}`;
    await dockerEngine().createNetwork({ Name: elsewhere });
    stranger = await PsqlClient.start(elsewhere);
  });

  afterAll(async () => {
    await inTurn(
      () => stranger?.remove(),
      () => dockerEngine().getNetwork(elsewhere).remove(),
    );
  });

  describe("S7 the server's container, seen from inside", () => {
    test("S7 the server is PostgreSQL itself, not root, and can't become it", async () => {
      expect((await stack.inside("tr '\\0' ' ' </proc/1/cmdline")).trim()).toMatch(
        /^postgres -c config_file=/,
      );
      const status = await serverStatus();
      expect(status.Uid?.split("\t")).not.toContain("0");
      expect(status.Gid?.split("\t")).not.toContain("0");
      expect(status.Groups?.trim().split(" ")).not.toContain("0");
      expect(status.NoNewPrivs).toBe("1");
      expect(await attempt("su -c id")).not.toContain("uid=0");
    });

    test("S7 it has no capability and can't get one, and system calls are filtered", async () => {
      const status = await serverStatus();
      for (const set of ["CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb"]) {
        expect(status[set], set).toMatch(/^0+$/);
      }
      expect(status.Seccomp).toBe("2");
      expect(await attempt("unshare --user true")).toMatch(/Operation not permitted|not found/);
    });

    test("S7 it can write to its data and to two small file systems in memory, and run nothing from those", async () => {
      for (const place of ["/", "/etc", "/etc/pgstack", "/usr/local/bin", "/var/lib/postgresql", "/root"]) {
        expect(await attempt(`echo x >${place}/written`), place).toMatch(
          /Read-only file system|Permission denied|nonexistent/,
        );
      }
      expect(await attempt("echo x >/proc/sys/kernel/hostname")).toMatch(
        /Read-only file system|Permission denied/,
      );
      for (const place of ["/tmp", "/var/run/postgresql", "/dev/shm"]) {
        const file = `${place}/program`;
        expect(
          await attempt(`echo 'echo ran' >${file} && chmod 700 ${file} && ${file}; rm ${file}`),
          place,
        ).toMatch(/Permission denied/);
      }
      expect(await attempt('echo x >"$PGDATA"/written && rm "$PGDATA"/written')).toBe("");
      const mounts = await stack.inside(
        "awk '$2 !~ /^.(proc|dev|sys)/ && $4 ~ /^rw/ {print $2}' /proc/mounts",
      );
      // Docker's three files for names are there to be read; only root could write them.
      const writable = mounts
        .trim()
        .split("\n")
        .filter((mount) => !/^\/etc\/(hosts|hostname|resolv\.conf)$/.test(mount));
      expect(writable.sort()).toEqual(["/run/postgresql", "/tmp", "/var/lib/postgresql/data"]);
    });

    test("S7 memory, processor time, processes and shared memory are bounded", async () => {
      expect(await controlGroup(stack, "memory/memory.limit_in_bytes", "memory.max")).toBe(
        String(512 * MEGABYTE),
      );
      expect(await processLimit(stack)).toBe("200");
      const cpu = await controlGroup(stack, "cpu/cpu.cfs_quota_us", "cpu.max");
      expect(["150000", "150000 100000"]).toContain(cpu);
      const [blocks, size] = (await stack.inside("stat -f -c '%b %S' /dev/shm")).split(" ").map(Number);
      expect((blocks ?? 0) * (size ?? 0)).toBe(96 * MEGABYTE);
      const { HostConfig } = await dockerEngine().getContainer(stack.target.container).inspect();
      // As much as the memory itself: no swap beside it.
      expect(HostConfig.MemorySwap).toBe(512 * MEGABYTE);
    });

    test("S7 a stop is clean and takes a moment only", async () => {
      const container = dockerEngine().getContainer(stack.target.container);
      const { Config } = await container.inspect();
      expect(Config).toMatchObject({ StopSignal: "SIGINT", StopTimeout: 120 });
      const session = await stack.session("application");
      const started = performance.now();
      await container.stop();
      expect(performance.now() - started).toBeLessThan(30_000);
      expect((await container.inspect()).State).toMatchObject({ ExitCode: 0, OOMKilled: false });
      await session.end().catch(() => {});
      await container.start();
      await stack.up();
      // The very last line, "is shut down", may be lost with the process that writes the log; the next start tells as well.
      expect(await stack.serverLog()).toMatch(
        /received fast shutdown request[\s\S]*checkpoint starting: shutdown[\s\S]*database system was shut down at/,
      );
      expect(await stack.serverLog()).not.toMatch(
        /database system was interrupted|automatic recovery in progress/,
      );
    });
  });

  describe("S4 the stack's network", () => {
    test("S4 no port is on the host unless the stack asks for one", async () => {
      const { HostConfig, NetworkSettings } = await dockerEngine()
        .getContainer(stack.target.container)
        .inspect();
      expect(HostConfig.PortBindings ?? {}).toEqual({});
      expect(HostConfig.PublishAllPorts).toBe(false);
      expect(Object.values(NetworkSettings.Ports).filter((bindings) => bindings !== null)).toEqual([]);
      expect(Object.keys(NetworkSettings.Networks)).toEqual([stack.outputs.deployed.networkName]);
    });

    test("S4 it is internal: the server has no way out, neither to the world nor to other networks", async () => {
      const network = await dockerEngine().getNetwork(stack.outputs.deployed.networkName).inspect();
      expect(network).toMatchObject({ Internal: true, Driver: "bridge", Attachable: false });
      const routes = (await stack.inside("tail -n +2 /proc/net/route")).trim().split("\n");
      for (const route of routes) expect(route.split(/\s+/)[1], "a default route").not.toBe("00000000");
      const other = (await stranger.run(["hostname", "-i"])).stdout.trim();
      for (const address of ["192.0.2.1", "1.1.1.1", other]) {
        expect(await attempt(`exec 3<>/dev/tcp/${address}/5432`), address).toMatch(/Network is unreachable/);
      }
      expect(await attempt("timeout 5 getent hosts example.com || echo nothing")).toBe("nothing");
    });

    test("S4 nothing on another network reaches the server", async () => {
      const { NetworkSettings } = await dockerEngine().getContainer(stack.target.container).inspect();
      const [address] = Object.values(NetworkSettings.Networks).map(({ IPAddress }) => IPAddress);
      const ask = ["pg_isready", "--timeout=2", `--host=${address}`, "--port=5432"];
      expect((await stranger.run(ask)).stdout).toMatch(/no response/);
      const byName = await stranger.run(["getent", "hosts", stack.target.container]);
      expect(byName.stdout).toBe("");
    });
  });
}
