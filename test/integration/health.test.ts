import { join } from "node:path";
import type { Client } from "pg";
import { describe, expect, onTestFinished, test, vi } from "vitest";
import { issueCertificates } from "../../operations/certificates.ts";
import { connect, serverAddress } from "../../operations/connection.ts";
import { connectionInfo, proveConnection, writeAuthorityFile } from "../../operations/connection-info.ts";
import { dockerEngine } from "../../operations/docker.ts";
import { executeInContainer } from "../../operations/execute.ts";
import { checkHealth, type HealthOptions, type HealthReport } from "../../operations/health.ts";
import { appendHealthLog, lastHealthReport } from "../../operations/health-log.ts";
import { serveHealth } from "../../operations/health-server.ts";
import { reload } from "../../operations/server-configuration/live-checks.ts";
import { type ServerLogOptions, streamServerLog } from "../../operations/server-log.ts";
import { gatherStatus } from "../../operations/status.ts";
import { runAsSuperuser } from "../../operations/superuser.ts";
import { UserError } from "../../operations/user-error.ts";
import { writeVolumeFiles } from "../../operations/volume-files.ts";
import { readyStack, type TestStack } from "../support/health-stack.ts";
import { TEST_IMAGE } from "../support/image.ts";
import { temporaryFolder } from "../support/temporary-folder.ts";

const TIME_LIMIT = 120_000;

function options(stack: TestStack, change: Partial<HealthOptions> = {}): HealthOptions {
  return { credentials: stack.credentials, trust: stack.trust, full: true, ...change };
}

function statusOf(report: HealthReport, name: string): string | undefined {
  return report.checks.find((check) => check.name === name)?.status;
}

async function session(stack: TestStack, kind: keyof TestStack["credentials"]): Promise<Client> {
  const client = await connect(stack.target, stack.credentials[kind], stack.trust);
  onTestFinished(() => client.end());
  client.on("error", () => {});
  return client;
}

/** Puts a certificate of the stack's own authority in use that was made some days ago. */
async function serveCertificate(
  stack: TestStack,
  made: { issuedDaysAgo: number; validityDays: number },
): Promise<void> {
  vi.useFakeTimers({ toFake: ["Date"], now: Date.now() - made.issuedDaysAgo * 86_400_000 });
  const request = { commonName: stack.target.stack, names: [stack.trust.serverName], addresses: [] };
  const { certificate, key } = await issueCertificates(
    { ...request, validityDays: made.validityDays },
    stack.authority,
  );
  vi.useRealTimers();
  const files = [
    { path: "server.crt", content: certificate, mode: 0o644 },
    { path: "server.key", content: key, mode: 0o600 },
  ];
  const volume = { volume: stack.configurationVolume, image: TEST_IMAGE, directory: "tls", labels: {} };
  await writeVolumeFiles(dockerEngine(), { ...volume, files });
  await reload(stack.target);
}

async function linesOf(stack: TestStack, options?: ServerLogOptions): Promise<string[]> {
  const lines: string[] = [];
  for await (const line of streamServerLog(stack.target, options)) lines.push(line);
  return lines;
}

describe("L1 health of a real server", { timeout: TIME_LIMIT }, () => {
  test("L1 S9 a sound stack is sound in all checks, fast, and logged", async () => {
    const stack = await readyStack();
    const folder = await temporaryFolder();
    await checkHealth(stack.target, options(stack));
    const full = await checkHealth(stack.target, options(stack));
    expect(full.checks.filter(({ status }) => status === "failed")).toEqual([]);
    expect(full.status).not.toBe("failed");
    expect(full.serverVersion).toMatch(/^16\./);
    expect(full.disk?.totalBytes).toBeGreaterThan(0);
    expect(full.checks).toHaveLength(16);
    expect(statusOf(full, "write probe")).toBe("ok");
    expect(statusOf(full, "certificate days left")).toBe("ok");
    expect(statusOf(full, "configuration files")).toBe("ok");
    expect(statusOf(full, "backup age")).toBe("not applicable");
    expect(full.durationMilliseconds).toBeLessThan(1_500);

    const quick = await checkHealth(stack.target, options(stack, { full: false }));
    expect(quick.checks.map(({ name }) => name)).toEqual([
      "readiness",
      "query as administrator",
      "server version",
      "disk headroom",
      "connection headroom",
    ]);
    expect(quick.durationMilliseconds).toBeLessThan(300);

    const log = await linesOf(stack, { lines: 1_000 });
    expect(log.length).toBeGreaterThan(10);
    expect(log.filter((line) => /(?:FATAL|ERROR|WARNING|PANIC):/.test(line))).toEqual([]);

    const path = await appendHealthLog({ logsDirectory: folder, stack: stack.target.stack }, full);
    expect(path).toMatch(/health-.+-\d{4}-\d{2}\.log$/);
    expect(await lastHealthReport({ logsDirectory: folder, stack: stack.target.stack })).toEqual(full);
    const passwords = Object.values(stack.credentials).map(({ password }) => password);
    for (const password of passwords) expect(JSON.stringify(full)).not.toContain(password);
  });

  test("L1 each fault fails its own check and no other", async () => {
    const stack = await readyStack();
    const wrong = { ...stack.credentials, readonly: { ...stack.credentials.readonly, password: "wrong" } };
    const badPassword = await checkHealth(stack.target, options(stack, { credentials: wrong }));
    expect(badPassword.checks.filter(({ status }) => status === "failed").map(({ name }) => name)).toEqual([
      "query as readonly",
    ]);

    const { database } = stack.target;
    await runAsSuperuser(stack.target, "DROP TABLE pgstack.health_probe", { database });
    const noProbe = await checkHealth(stack.target, options(stack));
    expect(noProbe.checks.filter(({ status }) => status === "failed").map(({ name }) => name)).toEqual([
      "write probe",
    ]);

    await runAsSuperuser(stack.target, "ALTER SYSTEM SET max_connections = 50; SELECT pg_reload_conf()");
    await expect
      .poll(async () => statusOf(await checkHealth(stack.target, options(stack)), "settings pending restart"))
      .toBe("warning");
  });

  test("L1 nothing but connections missing: the rest is not applicable, and the cause is told once", async () => {
    const stack = await readyStack();
    const administrator = { ...stack.credentials.administrator, password: "wrong" };
    const credentials = { ...stack.credentials, administrator };
    const report = await checkHealth(stack.target, options(stack, { credentials }));
    expect(report.checks.filter(({ status }) => status === "failed").map(({ name }) => name)).toEqual([
      "query as administrator",
    ]);
    expect(statusOf(report, "connection headroom")).toBe("not applicable");
  });

  test("F11 L1 a certificate that ends soon warns; one that has ended fails, by its date", async () => {
    const stack = await readyStack();
    await serveCertificate(stack, { issuedDaysAgo: 20, validityDays: 30 });
    const soon = await checkHealth(stack.target, options(stack));
    expect(soon.checks.find(({ name }) => name === "certificate days left")).toMatchObject({
      status: "warning",
      value: 9,
    });
    expect(soon.status).toBe("warning");

    await serveCertificate(stack, { issuedDaysAgo: 40, validityDays: 30 });
    const ended = await checkHealth(stack.target, options(stack));
    expect(ended.checks.find(({ name }) => name === "certificate days left")?.message).toMatch(
      /expired on \d{4}-/,
    );
    expect(statusOf(ended, "query as application")).toBe("failed");
    expect(statusOf(ended, "readiness")).toBe("ok");
  });

  test("L1 F50 a frozen server is failed in time, a stopped and a missing one at once", async () => {
    const stack = await readyStack();
    const container = dockerEngine().getContainer(stack.target.container);
    // SIGSTOP from the engine reaches the postmaster only, as a hanging server would.
    await container.kill({ signal: "SIGSTOP" });
    const started = performance.now();
    const frozen = await checkHealth(
      stack.target,
      options(stack, { full: false, timeoutMilliseconds: 1_000 }),
    );
    expect(frozen.status).toBe("failed");
    expect(performance.now() - started).toBeLessThan(3_000);
    await container.kill({ signal: "SIGCONT" });

    await container.stop();
    const stopped = await checkHealth(stack.target, options(stack));
    expect(stopped).toMatchObject({ status: "failed", serverVersion: undefined });
    const missing = await checkHealth(
      { ...stack.target, container: `${stack.target.container}-no` },
      options(stack),
    );
    expect(missing.status).toBe("failed");
    expect(missing.checks[0]?.message).toContain("does not exist");
  });

  test("L1 a table that is locked against the probe fails it in time and harms no other check", async () => {
    const stack = await readyStack();
    const application = await session(stack, "application");
    await application.query("begin");
    await application.query("insert into pgstack.health_probe values (current_user, now())");
    const report = await checkHealth(stack.target, options(stack, { timeoutMilliseconds: 1_500 }));
    expect(report.checks.filter(({ status }) => status === "failed").map(({ name }) => name)).toEqual([
      "write probe",
    ]);
    await application.query("rollback");
  });

  test("O3 L1 the endpoint follows the server down", async () => {
    const stack = await readyStack();
    const check = () =>
      checkHealth(stack.target, options(stack, { full: false, timeoutMilliseconds: 2_000 }));
    const server = await serveHealth({ port: 0, check, cacheSeconds: 0 });
    onTestFinished(() => server.close());
    const url = `http://${server.address}:${server.port}`;
    expect((await fetch(`${url}/health/ready`)).status).toBe(200);
    await dockerEngine().getContainer(stack.target.container).stop();
    expect((await fetch(`${url}/health/ready`)).status).toBe(503);
    expect((await fetch(`${url}/health/live`)).status).toBe(200);
  });
});

describe("P8 connection information of a real server", { timeout: TIME_LIMIT }, () => {
  test("P8 the values of each role are proven over verified TLS, also by tunnel; wrong ones are not", async () => {
    const stack = await readyStack();
    const authorityFile = join(await temporaryFolder(), "authority.crt");
    await writeAuthorityFile(authorityFile, stack.trust.authority ?? "");
    const address = await serverAddress(stack.target);
    for (const role of ["administrator", "application", "readonly"] as const) {
      const all = { role, credential: stack.credentials[role], trust: stack.trust, address, authorityFile };
      const info = connectionInfo(stack.target, all);
      const proof = await proveConnection(stack.target, info, all);
      expect(proof).toMatchObject({ user: stack.credentials[role].role, database: stack.target.database });
      expect(proof.tls).toMatch(/^TLSv1\.[23]$/);
      await expect(proveConnection(stack.target, { ...info, host: "other.example" }, all)).rejects.toThrow(
        /other.example/,
      );
      const credential = { ...all.credential, password: "wrong" };
      await expect(proveConnection(stack.target, info, { ...all, credential })).rejects.toThrow(/password/);
    }

    const tunnel = {
      ...readonlyOptions(stack, authorityFile),
      address: await serverAddress(stack.target, "tunnel"),
    };
    const proof = await proveConnection(stack.target, connectionInfo(stack.target, tunnel), tunnel);
    expect(proof.user).toBe(stack.credentials.readonly.role);
  });
});

function readonlyOptions({ credentials, trust }: TestStack, authorityFile: string) {
  return { role: "readonly", credential: credentials.readonly, trust, authorityFile } as const;
}

describe("status and server log", { timeout: TIME_LIMIT }, () => {
  test("S9 one screen about a running, a stopped and a missing stack", async () => {
    const stack = await readyStack();
    await session(stack, "application");
    const roles = Object.values(stack.credentials).map(({ role }) => role);
    const status = await gatherStatus(stack.target, { roles: [...roles, "nobody_here"] });
    expect(status).toMatchObject({ container: { state: "running", restarts: 0 }, problems: [] });
    expect(status.serverVersion).toMatch(/^16\./);
    expect(status.roles?.map(({ connections, exists }) => [exists, connections])).toEqual([
      [true, 0],
      [true, 1],
      [true, 0],
      [false, 0],
    ]);
    expect(status.volumes[0]?.path).toBe("/var/lib/postgresql/data");
    expect(status.tlsDaysLeft).toBeGreaterThan(0);
    expect(status.disk?.freeBytes).toBeGreaterThan(0);
    expect(status.image?.id).toMatch(/^sha256:/);

    await expect(linesOf(stack, { lines: -1 })).rejects.toThrow(UserError);
    await dockerEngine().getContainer(stack.target.container).stop();
    await expect(linesOf(stack)).rejects.toThrow(/is not running: what it last said/);
    const stopped = await gatherStatus(stack.target, { roles });
    expect(stopped).toMatchObject({ container: { state: "exited" }, serverVersion: undefined });

    const missing = await gatherStatus(
      { ...stack.target, container: `${stack.target.container}-no` },
      { roles },
    );
    expect(missing).toMatchObject({ container: { state: "missing" }, roles: undefined });
    expect(missing.problems[0]).toContain("does not exist");
  });

  test("S9 the server's log is read from its end, and followed over a rotation", async () => {
    const stack = await readyStack({ log_filename: "postgresql-%H%M%S.log" });
    const say = (words: string) => runAsSuperuser(stack.target, `DO $$ BEGIN RAISE LOG '${words}'; END $$`);
    await say("first words");
    const lines = await linesOf(stack, { lines: 5 });
    expect(lines.length).toBeLessThanOrEqual(5);
    expect(lines.join("\n")).toContain("first words");

    const end = new AbortController();
    const seen: string[] = [];
    const following = (async () => {
      for await (const line of streamServerLog(stack.target, { lines: 0, follow: true, signal: end.signal }))
        seen.push(line);
    })();
    const told = (words: string) =>
      expect
        .poll(() => seen.filter((line) => line.includes(words)).length, { timeout: 10_000 })
        .toBeGreaterThan(0);
    await expect
      .poll(
        async () => {
          await say("second words");
          return seen.some((line) => line.includes("second words"));
        },
        { timeout: 10_000 },
      )
      .toBe(true);
    await runAsSuperuser(stack.target, "SELECT pg_rotate_logfile()");
    await say("third words");
    await told("third words");
    await expect
      .poll(
        async () => {
          await say("fourth words");
          return seen.some((line) => line.includes("fourth words"));
        },
        { timeout: 10_000 },
      )
      .toBe(true);
    expect(seen.filter((line) => line.includes("third words") && line.includes("LOG:"))).toHaveLength(1);
    end.abort();
    await following;
    // Nothing stays behind in the container once the reader is gone.
    await expect
      .poll(
        async () => {
          const command = ["sh", "-c", "cat /proc/[0-9]*/cmdline | tr '\\0' ' '"];
          return (await executeInContainer(stack.target, { command })).stdout.includes("server-log");
        },
        { timeout: 5_000 },
      )
      .toBe(false);
  });
});
