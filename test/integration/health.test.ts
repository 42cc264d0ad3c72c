import { afterAll, beforeAll, describe, expect, onTestFinished, test, vi } from "vitest";
import { issueCertificates } from "../../operations/certificates.ts";
import { dockerEngine } from "../../operations/docker.ts";
import { checkHealth, type HealthOptions, type HealthReport } from "../../operations/health.ts";
import { appendHealthLog, lastHealthReport } from "../../operations/health-log.ts";
import { serveHealth } from "../../operations/health-server.ts";
import { reload } from "../../operations/server-configuration/live-checks.ts";
import { runAsSuperuser } from "../../operations/superuser.ts";
import { writeVolumeFiles } from "../../operations/volume-files.ts";
import { linesOf, readyStack, session, sharedStack, type TestStack } from "../support/health-stack.ts";
import { TEST_IMAGE } from "../support/image.ts";
import { temporaryFolder } from "../support/temporary-folder.ts";

const TIME_LIMIT = 120_000;

function options(stack: TestStack, change: Partial<HealthOptions> = {}): HealthOptions {
  return { credentials: stack.credentials, trust: stack.trust, full: true, ...change };
}

function statusOf(report: HealthReport, name: string): string | undefined {
  return report.checks.find((check) => check.name === name)?.status;
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

describe("L1 health of a real server", { timeout: TIME_LIMIT }, () => {
  /** For the tests that leave it as it was, and the last one. */
  let shared: Awaited<ReturnType<typeof sharedStack>>;

  beforeAll(async () => {
    shared = await sharedStack();
  });
  afterAll(() => shared?.remove());

  test("L1 S9 a sound stack is sound in all checks, fast, and logged", async () => {
    const stack = shared;
    const folder = await temporaryFolder();
    const before = (await linesOf(stack, { lines: 10_000 })).length;
    const full = await checkHealth(stack.target, options(stack));
    expect(full.checks.filter(({ status }) => status === "failed")).toEqual([]);
    expect(full.status).not.toBe("failed");
    expect(full.serverVersion).toMatch(/^16\./);
    expect(full.disk?.totalBytes).toBeGreaterThan(0);
    expect(full.checks).toHaveLength(22);
    expect(statusOf(full, "write probe")).toBe("ok");
    expect(statusOf(full, "certificate days left")).toBe("ok");
    expect(statusOf(full, "configuration files")).toBe("ok");
    expect(statusOf(full, "backup age")).toBe("not applicable");

    const quick = await checkHealth(stack.target, options(stack, { full: false }));
    expect(quick.checks.map(({ name }) => name)).toEqual([
      "readiness",
      "query as administrator",
      "server version",
      "disk headroom",
      "backup headroom",
      "connection headroom",
    ]);
    // Checks are no reason for an operator to read the server's log.
    const after = (await linesOf(stack, { lines: 10_000 })).slice(before);
    expect(after.length).toBeGreaterThan(5);
    expect(after.filter((line) => /(?:FATAL|ERROR|WARNING|PANIC):/.test(line))).toEqual([]);

    // Repeated, since the machine may do other things at the same time.
    const within = { timeout: 30_000 };
    const time = async (form: boolean) =>
      (await checkHealth(stack.target, options(stack, { full: form }))).durationMilliseconds;
    await expect.poll(() => time(false), within).toBeLessThan(300);
    await expect.poll(() => time(true), within).toBeLessThan(1_500);

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
    const stack = shared;
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
    const stack = shared;
    const application = await session(stack, "application");
    await application.query("begin");
    await application.query(
      "insert into pgstack.health_probe values (current_user, now()) on conflict (role) do update set at = now()",
    );
    const report = await checkHealth(stack.target, options(stack, { timeoutMilliseconds: 1_500 }));
    expect(report.checks.filter(({ status }) => status === "failed").map(({ name }) => name)).toEqual([
      "write probe",
    ]);
    await application.query("rollback");
  });

  test("O3 L1 the endpoint follows the server down", async () => {
    const stack = shared;
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
