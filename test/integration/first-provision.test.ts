import { readdir, readFile, stat } from "node:fs/promises";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { saveBootstrapLog } from "../../operations/bootstrap-log.ts";
import { dockerEngine, findContainer, findVolume } from "../../operations/docker.ts";
import { abandonFirstProvision, isProven, markProven, readProof } from "../../operations/first-provision.ts";
import { waitUntilReady } from "../../operations/readiness.ts";
import { scramVerifier } from "../../operations/scram.ts";
import { queryAsSuperuser, runAsSuperuser } from "../../operations/superuser.ts";
import type { Target } from "../../operations/target.ts";
import { type ConfiguredServer, readyServer, startConfiguredServer } from "../support/configured-server.ts";
import { TEST_IMAGE } from "../support/image.ts";
import { temporaryFolder } from "../support/temporary-folder.ts";
import { temporaryVolume, uniqueName } from "../support/volumes.ts";

const docker = dockerEngine();

const abandon = async (server: ConfiguredServer, change: { dataVolume?: string } = {}) =>
  abandonFirstProvision(server.target, {
    dataVolume: server.dataVolume,
    configurationVolume: server.configurationVolume,
    logsDirectory: join(await temporaryFolder(), "logs"),
    reason: "init SQL failed\nat statement 3",
    ...change,
  });

describe("P4 F02 a first provision that failed", () => {
  test("P4 F02 container and new volumes are gone when it returns, and the log is kept", async () => {
    const server = await readyServer();
    await queryAsSuperuser(
      server.target,
      "SELECT pg_catalog.pg_log_backend_memory_contexts(pg_backend_pid())",
    );
    const done = await abandon(server);
    expect(done).toMatchObject({ removedContainer: true, keptVolumes: [] });
    expect(done.removedVolumes).toEqual([server.dataVolume, server.configurationVolume]);
    expect(await findContainer(docker, server.target.container)).toBeUndefined();
    expect(await findVolume(docker, server.dataVolume)).toBeUndefined();
    expect(await findVolume(docker, server.configurationVolume)).toBeUndefined();
    const log = await readFile(done.log ?? "", "utf8");
    expect(log).toContain("reason: init SQL failed at statement 3");
    expect(log).toContain("PostgreSQL init process complete");
    expect(log).toMatch(/--- log of the server \(log\/postgresql-\w{3}\.log\)/);
    expect(log).toContain("database system is ready to accept connections");
    expect((await stat(done.log ?? "")).mode & 0o777).toBe(0o600);
  });

  test("P4 done twice, the second time finds nothing and fails at nothing", async () => {
    const server = await startConfiguredServer();
    await abandon(server);
    expect(await abandon(server)).toEqual({ removedContainer: false, removedVolumes: [], keptVolumes: [] });
  });

  test("P4 a cluster that was healthy once stays, with its container", async () => {
    const server = await readyServer();
    const proof = await markProven(server.target);
    expect(await markProven(server.target)).toEqual(proof);
    expect(await readProof(docker, server.dataVolume, TEST_IMAGE)).toEqual(proof);
    expect(proof).toMatchObject({
      stack: server.target.stack,
      systemIdentifier: expect.stringMatching(/^\d{15,}$/),
    });
    const done = await abandon(server);
    expect(done).toMatchObject({ removedContainer: false, removedVolumes: [] });
    expect(done.keptVolumes.map((kept) => kept.name)).toEqual([
      server.dataVolume,
      server.configurationVolume,
    ]);
    await waitUntilReady(server.target, { timeoutSeconds: 10 });
  });

  test("F02 a volume that was there before is left alone", async () => {
    const server = await startConfiguredServer();
    for (const stack of [undefined, "another"]) {
      const before = await temporaryVolume(stack);
      const done = await abandon(server, { dataVolume: before });
      expect(done.keptVolumes).toEqual([{ name: before, why: "this stack did not make it" }]);
      expect(await findVolume(docker, before)).toBeDefined();
      expect(await isProven(docker, before, TEST_IMAGE)).toBe(false);
    }
  });

  test("P4 a volume that another container uses stays, and is said to", async () => {
    const server = await startConfiguredServer();
    const user = await docker.createContainer({
      name: uniqueName("user"),
      Image: TEST_IMAGE,
      HostConfig: {
        NetworkMode: "none",
        Mounts: [{ Type: "volume", Source: server.dataVolume, Target: "/mnt" }],
      },
    });
    try {
      const done = await abandon(server);
      expect(done.keptVolumes).toEqual([{ name: server.dataVolume, why: "another container uses it" }]);
    } finally {
      await user.remove({ force: true, v: true });
    }
  });
});

describe("S9 start-up log snapshots", () => {
  test("S9 S2 a server that cannot start leaves its reason, and no secret", async () => {
    const server = await readyServer();
    const verifier = scramVerifier("a password of the test");
    await runAsSuperuser(server.target, `CREATE ROLE probe LOGIN PASSWORD '${verifier}';`, { logged: true });
    await runAsSuperuser(server.target, "ALTER SYSTEM SET shared_preload_libraries = 'no_such_library';");
    await docker.getContainer(server.target.container).restart();
    await expect(waitUntilReady(server.target, { timeoutSeconds: 30 })).rejects.toThrow();
    const folder = await temporaryFolder();
    const path = await saveBootstrapLog(server.target, { logsDirectory: folder });
    const log = await readFile(path, "utf8");
    expect(log).toMatch(/could not access file "no_such_library"/);
    expect(log).toMatch(/state: exited, exit code 1/);
    expect(log).toContain("CREATE ROLE probe LOGIN");
    expect(log).not.toContain(verifier);
    expect(await readdir(folder)).toEqual([path.slice(folder.length + 1)]);
    expect(path).toMatch(/bootstrap-pgstack-test-server-\w+-\d{8}-\d{6}-\d{3}Z\.log$/);
  });

  test("S9 without a container the snapshot says so", async () => {
    const name = uniqueName("none");
    const target: Target = { stack: name, container: name, port: 5432, database: "app" };
    const path = await saveBootstrapLog(target, { logsDirectory: await temporaryFolder() });
    expect(await readFile(path, "utf8")).toContain("The container does not exist.");
  });

  test("S9 of a long log the last 2,000 lines are kept", async () => {
    const server = await readyServer();
    await runAsSuperuser(
      server.target,
      "DO $$ BEGIN FOR n IN 1..3000 LOOP RAISE LOG 'line number %', n; END LOOP; END $$;",
    );
    const path = await saveBootstrapLog(server.target, { logsDirectory: await temporaryFolder() });
    const log = await readFile(path, "utf8");
    expect(log).toContain("line number 3000");
    expect(log).not.toContain("line number 900\n");
    expect(log.split("\n").length).toBeLessThan(2_200);
  });
});
