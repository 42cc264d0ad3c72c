import { createServer } from "node:net";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { issueCertificates } from "../../operations/certificates.ts";
import {
  ConnectionError,
  type ConnectOptions,
  connect,
  openServerStream,
  serverAddress,
} from "../../operations/connection.ts";
import { dockerEngine } from "../../operations/docker.ts";
import { executeInContainer } from "../../operations/execute.ts";
import { applyRole } from "../../operations/roles.ts";
import type { ServerTrust, Target } from "../../operations/target.ts";
import { startServer, type TestServer } from "../support/server.ts";

const CREDENTIAL = { role: "app_rw", password: "pa'ss $word" };
let server: TestServer;
beforeAll(async () => {
  server = await startServer({ published: true });
  await applyRole(server.target, {
    name: CREDENTIAL.role,
    kind: "application",
    password: CREDENTIAL.password,
  });
});
afterAll(async () => {
  await server?.remove();
});

async function failure(
  trust: ServerTrust | undefined = server.trust,
  options: ConnectOptions = {},
  credential = CREDENTIAL,
  target: Target = server.target,
): Promise<ConnectionError> {
  const outcome = await connect(target, credential, trust, { database: "postgres", ...options }).then(
    async (client) => {
      await client.end();
      return undefined;
    },
    (error: unknown) => error,
  );
  expect(outcome).toBeInstanceOf(ConnectionError);
  const text = String(outcome);
  expect(text).not.toContain("\n");
  expect(text).not.toContain(credential.password);
  return outcome as ConnectionError;
}

describe("S5 connections from the host", () => {
  test.each(["bridge", "published", "tunnel"] as const)(
    "S5 verify-full and large results both ways by the %s route",
    async (route) => {
      const client = await connect(server.target, CREDENTIAL, server.trust, { database: "postgres", route });
      try {
        const { rows } = await client.query(
          `SELECT ssl, version FROM pg_stat_ssl WHERE pid = pg_backend_pid()`,
        );
        expect(rows).toEqual([{ ssl: true, version: "TLSv1.3" }]);
        const text = "0123456789".repeat(400_000);
        const echo = await client.query("SELECT $1::text AS text", [text]);
        expect(echo.rows[0].text === text).toBe(true);
      } finally {
        await client.end();
      }
    },
  );

  test("S5 a tunnel leaves no process behind, however it ends", async () => {
    const client = await connect(server.target, CREDENTIAL, server.trust, {
      database: "postgres",
      route: "tunnel",
    });
    client.on("error", () => {});
    const dropped = await openServerStream(server.target, "tunnel");
    client.connection.stream.destroy();
    dropped.destroy();
    const refused = await failure(server.trust, { route: "tunnel" }, { ...CREDENTIAL, password: "no" });
    expect(refused.code).toBe("28P01");
    await expect
      .poll(
        async () =>
          (
            await executeInContainer(server.target, {
              command: ["sh", "-c", "cat /proc/[0-9]*/cmdline | tr '\\0' ' '"],
            })
          ).stdout,
        {
          timeout: 10_000,
        },
      )
      .not.toContain("/dev/tcp");
  });

  test("S5 the bridge is taken first when the engine is local", async () => {
    expect(await serverAddress(server.target)).toMatchObject({ via: "bridge", port: 5432 });
    expect(await serverAddress(server.target, "published")).toMatchObject({
      via: "published",
      host: "127.0.0.1",
    });
    expect(await serverAddress(server.target, "tunnel")).toEqual({
      via: "tunnel",
      host: "127.0.0.1",
      port: 5432,
    });
  });

  test.each(["bridge", "tunnel"] as const)(
    "S5 another authority and another name are refused by the %s route",
    async (route) => {
      const other = await issueCertificates({ commonName: "other", names: ["other"], addresses: [] });
      const foreign = { ...server.trust, authority: other.authority.certificate };
      expect((await failure(foreign, { route })).message).toMatch(/^TLS with .* failed: /);
      expect(await failure({ ...server.trust, serverName: "elsewhere.example" }, { route })).toMatchObject({
        code: "ERR_TLS_CERT_ALTNAME_INVALID",
      });
      // The machine's own authorities did not sign it.
      expect((await failure({ serverName: server.trust.serverName }, { route })).message).toMatch(
        /^TLS with .* failed: /,
      );
    },
  );

  test("S5 plain TCP is refused", async () => {
    const outcome = await connect(server.target, CREDENTIAL, undefined, { database: "postgres" }).catch(
      (error: unknown) => error,
    );
    expect(outcome).toMatchObject({ code: "28000" });
  });

  test("P8 wrong password, missing database and missing role are told apart", async () => {
    expect((await failure(server.trust, {}, { ...CREDENTIAL, password: "wrong" })).message).toMatch(
      /^role "app_rw": the password is refused/,
    );
    expect((await failure(server.trust, { database: "nowhere" })).message).toMatch(/no database "nowhere"/);
    expect(await failure(server.trust, {}, { role: "nobody", password: "x" })).toMatchObject({
      code: "28P01",
    });
  });

  test("P8 a container that does not run, and one that does not exist", async () => {
    const stopped = await startServer({ ready: false, command: ["sleep", "600"] });
    try {
      const refused = await failure(stopped.trust, {}, CREDENTIAL, stopped.target);
      expect(refused).toMatchObject({ code: "ECONNREFUSED" });
      expect(await failure(stopped.trust, { route: "tunnel" }, CREDENTIAL, stopped.target)).toMatchObject({
        code: "ECONNREFUSED",
      });
      await dockerEngine().getContainer(stopped.target.container).kill();
      expect((await failure(stopped.trust, {}, CREDENTIAL, stopped.target)).message).toMatch(/not running/);
    } finally {
      await stopped.remove();
    }
    const missing = { ...server.target, container: "pgstack-test-no-such-container" };
    expect((await failure(server.trust, {}, CREDENTIAL, missing)).message).toMatch(/does not exist/);
  });

  test("P8 a server that says nothing is given up in time", async () => {
    const mute = await startServer({
      ready: false,
      command: ["bash", "-c", "kill -STOP $$ & exec sleep 600"],
    });
    try {
      const started = performance.now();
      await failure(mute.trust, { connectTimeoutMilliseconds: 400 }, CREDENTIAL, mute.target);
      expect(performance.now() - started).toBeLessThan(5_000);
    } finally {
      await mute.remove();
    }
  });
});

describe("S2 a server that is not ours", () => {
  test("S2 gets no password in clear", async () => {
    const received: Buffer[] = [];
    const rogue = createServer((socket) => {
      socket.on("error", () => {});
      socket.once("data", () => {
        // AuthenticationCleartextPassword
        socket.write(Buffer.from([0x52, 0, 0, 0, 8, 0, 0, 0, 3]));
        socket.on("data", (chunk) => received.push(chunk));
      });
    });
    await new Promise<void>((resolve) => rogue.listen(0, "127.0.0.1", resolve));
    const address = rogue.address();
    if (address === null || typeof address === "string") throw new Error("no port");
    const engine = await fakeEngine(address.port);
    try {
      const target = { ...server.target, dockerHost: engine.endpoint };
      const refused = await connect(target, CREDENTIAL, undefined).catch((error: unknown) => error);
      expect(String(refused)).toMatch(/without SCRAM/);
      expect(Buffer.concat(received).toString()).not.toContain(CREDENTIAL.password);
    } finally {
      engine.close();
      rogue.close();
    }
  });
});

/** An engine that knows one container, whose port is published on a port of this machine. */
async function fakeEngine(port: number): Promise<{ endpoint: string; close(): void }> {
  const { createServer: createHttpServer } = await import("node:http");
  const engine = createHttpServer((_, response) => {
    response.setHeader("content-type", "application/json");
    response.end(
      JSON.stringify({
        Id: `fake-${port}`,
        State: { Running: true, Status: "running" },
        NetworkSettings: {
          Networks: {},
          Ports: { "5432/tcp": [{ HostIp: "0.0.0.0", HostPort: String(port) }] },
        },
      }),
    );
  });
  await new Promise<void>((resolve) => engine.listen(0, "127.0.0.1", resolve));
  const address = engine.address();
  if (address === null || typeof address === "string") throw new Error("no port");
  return { endpoint: `tcp://127.0.0.1:${address.port}`, close: () => engine.close() };
}
