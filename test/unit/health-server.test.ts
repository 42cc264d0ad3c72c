import { createConnection, createServer } from "node:net";
import { describe, expect, onTestFinished, test } from "vitest";
import type { HealthReport } from "../../operations/health.ts";
import { type HealthServerOptions, serveHealth } from "../../operations/health-server.ts";
import { UserError } from "../../operations/user-error.ts";

function report(status: HealthReport["status"]): HealthReport {
  return {
    stack: "dev",
    at: "2026-11-20T12:00:00.000Z",
    status,
    serverVersion: "16.14",
    disk: undefined,
    durationMilliseconds: 12,
    checks: [{ name: "readiness", status, message: "a message", durationMilliseconds: 3 }],
  };
}

async function start(options: Partial<HealthServerOptions> = {}) {
  const server = await serveHealth({ port: 0, check: async () => report("ok"), ...options });
  onTestFinished(() => server.close());
  return { server, url: `http://${server.address}:${server.port}` };
}

describe("O3 health over HTTP", () => {
  test.each([
    ["ok", 200],
    ["warning", 200],
    ["failed", 503],
  ] as const)("O3 status %s answers %i with the whole report", async (status, code) => {
    const { url } = await start({ check: async () => report(status) });
    const response = await fetch(`${url}/health?verbose=1`);
    expect(response.status).toBe(code);
    expect(response.headers.get("content-type")).toBe("application/json; charset=utf-8");
    expect(response.headers.get("cache-control")).toBe("no-store");
    expect(await response.json()).toMatchObject({ stack: "dev", status, checks: [{ name: "readiness" }] });
    const ready = await fetch(`${url}/health/ready`);
    expect(ready.status).toBe(code);
    expect(await ready.json()).toEqual({ stack: "dev", status, at: "2026-11-20T12:00:00.000Z" });
  });

  test("O3 HEAD answers like GET, without a body", async () => {
    const { url } = await start();
    const [get, head] = await Promise.all([
      fetch(`${url}/health`),
      fetch(`${url}/health`, { method: "HEAD" }),
    ]);
    expect(head.status).toBe(200);
    expect(head.headers.get("content-length")).toBe(String((await get.text()).length));
    expect(await head.text()).toBe("");
  });

  test("O3 live answers without asking the server", async () => {
    let checks = 0;
    const check = () => {
      checks += 1;
      return Promise.reject(new Error("down"));
    };
    const { url } = await start({ check });
    expect((await fetch(`${url}/health/live`)).status).toBe(200);
    expect(checks).toBe(0);
  });

  test("O3 another path is 404, another method 405, both JSON", async () => {
    const { url } = await start();
    for (const path of ["/", "/healthz", "/health/", "/health/../etc/passwd", "/health%2flive"]) {
      const response = await fetch(url + path);
      expect(response.status).toBe(404);
      expect(await response.json()).toHaveProperty("message");
    }
    const post = await fetch(`${url}/health`, { method: "POST", body: "x".repeat(100_000) });
    expect(post.status).toBe(405);
    expect(post.headers.get("allow")).toBe("GET, HEAD");
  });

  test("O3 a storm of probes costs one check", async () => {
    let checks = 0;
    const gate = Promise.withResolvers<void>();
    const check = async () => {
      checks += 1;
      await gate.promise;
      return report("ok");
    };
    const { url } = await start({ check, cacheSeconds: 60 });
    const storm = Array.from({ length: 100 }, () => fetch(`${url}/health`));
    gate.resolve();
    const codes = await Promise.all(storm.map(async (response) => (await response).status));
    expect(new Set(codes)).toEqual(new Set([200]));
    await fetch(`${url}/health/ready`);
    expect(checks).toBe(1);
  });

  test("O3 a new check is made once the result is too old", async () => {
    let checks = 0;
    const check = async () => {
      checks += 1;
      return report(checks === 1 ? "ok" : "failed");
    };
    const { url } = await start({ check, cacheSeconds: 0 });
    expect((await fetch(`${url}/health`)).status).toBe(200);
    expect((await fetch(`${url}/health`)).status).toBe(503);
  });

  test("O3 a check that throws, at once or later, is 503 with its one line", async () => {
    const thrown = await start({
      check: () => {
        throw new Error("no engine");
      },
    });
    const response = await fetch(`${thrown.url}/health`);
    expect(response.status).toBe(503);
    expect(await response.json()).toEqual({ status: "failed", message: "no engine" });
  });

  test("O3 a check that hangs is 503 in time, and is not started again beside itself", async () => {
    let checks = 0;
    const check = () => {
      checks += 1;
      return new Promise<HealthReport>(() => {});
    };
    const { url } = await start({ check, checkTimeoutSeconds: 0.05, cacheSeconds: 0 });
    expect((await fetch(`${url}/health`)).status).toBe(503);
    expect((await fetch(`${url}/health`)).status).toBe(503);
    expect(checks).toBe(1);
  });

  test("O3 closing lets requests under way end, and frees the port", async () => {
    const gate = Promise.withResolvers<void>();
    const asked = Promise.withResolvers<void>();
    const end = new AbortController();
    const check = async () => {
      asked.resolve();
      await gate.promise;
      return report("ok");
    };
    const { server, url } = await start({ check, signal: end.signal });
    const idle = createConnection(server.port, server.address);
    onTestFinished(() => void idle.destroy());
    const under = fetch(`${url}/health`);
    await asked.promise;
    const started = performance.now();
    end.abort();
    gate.resolve();
    expect((await under).status).toBe(200);
    await server.closed;
    // Nobody had to be thrown out at the end of the grace.
    expect(performance.now() - started).toBeLessThan(2_000);
    await expect(fetch(`${url}/health/live`)).rejects.toThrow();
  });

  test("O3 a taken port is one clear line", async () => {
    const holder = createServer();
    await new Promise<void>((resolve) => void holder.listen(0, "127.0.0.1", resolve));
    onTestFinished(() => void holder.close());
    const address = holder.address();
    const port = typeof address === "object" && address !== null ? address.port : 0;
    const refused = serveHealth({ port, check: async () => report("ok") });
    await expect(refused).rejects.toThrow(UserError);
    await expect(refused).rejects.toThrow(`--serve ${port}: the port is taken on 127.0.0.1, name another`);
  });

  test("O3 an address that is not this machine's, and a port that is none, are one clear line", async () => {
    const check = async () => report("ok");
    await expect(serveHealth({ port: 0, address: "192.0.2.1", check })).rejects.toThrow(UserError);
    await expect(serveHealth({ port: 70_000, check })).rejects.toThrow(UserError);
  });
});
