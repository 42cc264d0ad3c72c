import { readFile } from "node:fs/promises";
import { connect as connectTcp } from "node:net";
import { networkInterfaces } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { issueCertificates } from "../../../operations/certificates.ts";
import { connect, serverAddress } from "../../../operations/connection.ts";
import { connectionInfo } from "../../../operations/connection-info.ts";
import { dockerEngine } from "../../../operations/docker.ts";
import type { LiveStack } from "../../support/security/live-stack.ts";
import { PsqlClient } from "../../support/security/psql-client.ts";
import { handshake } from "../../support/security/tls-handshake.ts";

/** Lets OpenSSL on this side offer what is long out of use, so that the refusal is the server's. */
const ANYTHING = "ALL:@SECLEVEL=0";
const WHO =
  "SELECT current_user || ' ' || ssl || ' ' || version FROM pg_stat_ssl WHERE pid = pg_backend_pid()";

/** What a stack with a published port was brought up with. */
export interface PublishedSettings {
  readonly publish: true;
  readonly publishPort: number;
  readonly [key: string]: unknown;
}

let stack: LiveStack;
let psql: PsqlClient;
let port: number;

function authorityFile(): string {
  return join(stack.project.directory, ".pgstack", "stacks", stack.project.stack, "ca.crt");
}

/** What `pgstack connection-info` would hand out, with the authority where the client has it. */
async function settings(route: "bridge" | "published"): Promise<Record<string, string>> {
  const info = connectionInfo(stack.target, {
    role: "application",
    credential: stack.credential("application"),
    trust: stack.trust,
    address: await serverAddress(stack.target, route),
    authorityFile: "/tmp/ca.crt",
    showSecrets: true,
  });
  return { ...info.environment };
}

/**
 * How the server is reached over TLS, by the host's bridge and by a published port.
 *
 * @param live A stack that publishes its port.
 * @param brought What it was brought up with, in force.
 */
export function tls(live: () => LiveStack, brought: () => PublishedSettings): void {
  beforeAll(async () => {
    stack = live();
    port = brought().publishPort;
    psql = await PsqlClient.start();
    await psql.write("/tmp/ca.crt", await readFile(authorityFile(), "utf8"));
  });

  afterAll(() => psql?.remove());

  describe("S5 protocol versions and ciphers", () => {
    test.each(["TLSv1", "TLSv1.1"] as const)("S5 %s is refused by the server", async (version) => {
      const options = { minVersion: version, maxVersion: version, ciphers: ANYTHING };
      expect(await handshake(stack.target, options)).toBe("ERR_SSL_TLSV1_ALERT_PROTOCOL_VERSION");
    });

    test.each([
      ["TLSv1.2", "ECDHE-ECDSA-AES128-GCM-SHA256", "TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256"],
      ["TLSv1.2", "ECDHE-ECDSA-CHACHA20-POLY1305", "TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256"],
      ["TLSv1.3", "TLS_AES_256_GCM_SHA384", "TLS_AES_256_GCM_SHA384"],
    ] as const)("S5 %s with %s is served", async (version, ciphers, cipher) => {
      const options = { minVersion: version, maxVersion: version, ciphers };
      expect(await handshake(stack.target, options)).toMatchObject({ protocol: version, cipher });
    });

    test.each([
      "ECDHE-ECDSA-AES128-SHA256",
      "ECDHE-ECDSA-AES128-SHA",
      "ECDHE-ECDSA-NULL-SHA",
      "AECDH-AES128-SHA",
    ])(
      "S5 the cipher %s, without authenticated encryption or without a certificate, is refused",
      async (cipher) => {
        const options = { maxVersion: "TLSv1.2", ciphers: `${cipher}:@SECLEVEL=0` } as const;
        expect(await handshake(stack.target, options)).toMatch(/HANDSHAKE_FAILURE/);
      },
    );
  });

  describe("S5 F51 who gets in by which way", () => {
    test("S5 F51 plain TCP is refused, by the bridge address and by the published port, for every role", async () => {
      for (const route of ["bridge", "published"] as const) {
        for (const kind of ["administrator", "application", "readonly"] as const) {
          await expect(
            connect(stack.target, stack.credential(kind), undefined, { route }),
          ).rejects.toMatchObject({
            code: "28000",
            message: expect.stringContaining("no encryption"),
          });
        }
        const plain = { ...(await settings(route)), PGSSLMODE: "disable" };
        expect(await psql.query(plain, WHO)).toMatch(/pg_hba\.conf rejects connection .* no encryption/);
      }
    });

    test("S5 psql on the host gets in with verify-full by both ways", async () => {
      for (const route of ["bridge", "published"] as const) {
        const environment = await settings(route);
        expect(environment).toMatchObject({ PGSSLMODE: "verify-full", PGSSLROOTCERT: "/tmp/ca.crt" });
        expect(await psql.query(environment, WHO)).toBe("application true TLSv1.3");
      }
      const published = await settings("published");
      for (const host of ["127.0.0.1", "localhost"]) {
        const named = { ...published, PGHOST: host, PGHOSTADDR: "127.0.0.1" };
        expect(await psql.query(named, WHO)).toBe("application true TLSv1.3");
      }
    });

    test("S5 psql refuses the server under another name and by another authority", async () => {
      const environment = await settings("bridge");
      const elsewhere = { ...environment, PGHOST: "another.example.org" };
      expect(await psql.query(elsewhere, WHO)).toMatch(/server certificate for .* does not match host name/);
      const { authority } = await issueCertificates({ commonName: "x", names: ["x"], addresses: [] });
      await psql.write("/tmp/other.crt", authority.certificate);
      const other = { ...environment, PGSSLROOTCERT: "/tmp/other.crt" };
      expect(await psql.query(other, WHO)).toMatch(/certificate verify failed/);
      const trust = { ...stack.trust, authority: authority.certificate };
      await expect(connect(stack.target, stack.credential("application"), trust)).rejects.toThrow(
        /TLS with .* failed/,
      );
    });

    test("S5 psql that offers TLS 1.1 at most does not get in", async () => {
      const old = {
        ...(await settings("bridge")),
        PGSSLMINPROTOCOLVERSION: "TLSv1",
        PGSSLMAXPROTOCOLVERSION: "TLSv1.1",
      };
      expect(await psql.query(old, WHO)).toMatch(/SSL error/);
    });

    test("S4 F51 a published port is bound to 127.0.0.1 and answers on no other address of the host", async () => {
      const { HostConfig } = await dockerEngine().getContainer(stack.target.container).inspect();
      expect(HostConfig.PortBindings).toEqual({
        "5432/tcp": [{ HostIp: "127.0.0.1", HostPort: String(port) }],
      });
      const others = Object.values(networkInterfaces())
        .flatMap((addresses) => addresses ?? [])
        .filter(({ internal, family }) => !internal && family === "IPv4");
      expect(others.length).toBeGreaterThan(0);
      expect(await answers("127.0.0.1")).toBe(true);
      for (const { address } of others) expect(await answers(address), address).toBe(false);
    });

    test("S4 a server that is published does not get out by its second network", async () => {
      const access = await dockerEngine()
        .getNetwork(`${stack.outputs.deployed.networkName}-access`)
        .inspect();
      expect(access).toMatchObject({
        Internal: false,
        Options: { "com.docker.network.bridge.enable_ip_masquerade": "false" },
      });
    });
  });

  describe("S5 renewal of a generated certificate", () => {
    test("S5 another validity and up: the new certificate is served, without restart, while sessions stay up", async () => {
      const before = await handshake(stack.target, {});
      const start = await stack.startTime();
      const sessions = await Promise.all([
        stack.session("application", { route: "bridge" }),
        stack.session("readonly", { route: "published" }),
      ]);
      const processes = await Promise.all(sessions.map(processOf));
      const { authority } = stack.trust;
      const renewed = { mode: "generated", validityDays: 120, renewBeforeDays: 100 };
      const { output } = await stack.change({ ...brought(), tls: renewed });
      expect(output).not.toMatch(/Container .* (replac|delet)/);
      const after = await handshake(stack.target, {});
      expect(after).not.toEqual(before);
      expect(stack.trust.authority).toBe(authority);
      expect(await stack.startTime()).toBe(start);
      expect(await Promise.all(sessions.map(processOf))).toEqual(processes);
      for (const session of sessions) await session.end();
      await psql.write("/tmp/ca.crt", await readFile(authorityFile(), "utf8"));
      expect(await psql.query(await settings("bridge"), WHO)).toBe("application true TLSv1.3");
      const again = await stack.up();
      expect(again.output).toMatch(/Resources:\s+\d+ unchanged/);
    });

    test("S5 a new authority on request: clients that do not know it refuse, those that do get in, without restart", async () => {
      const start = await stack.startTime();
      const before = stack.trust;
      const { stack: name } = stack.project;
      const type = "pgstack:index:Certificates$pulumi-nodejs:dynamic/pgstack:Certificate";
      await stack.up(["--replace", `urn:pulumi:${name}::pgstack::${type}::certificates`]);
      expect(stack.trust.authority).not.toBe(before.authority);
      await expect(connect(stack.target, stack.credential("application"), before)).rejects.toThrow(
        /TLS with/,
      );
      await (await stack.session("application")).end();
      expect(await readFile(authorityFile(), "utf8")).toBe(stack.trust.authority);
      expect(await stack.startTime()).toBe(start);
    });
  });
}

async function processOf(client: Awaited<ReturnType<LiveStack["session"]>>): Promise<number> {
  return (await client.query("SELECT pg_backend_pid() AS pid")).rows[0].pid;
}

async function answers(host: string): Promise<boolean> {
  const { promise, resolve } = Promise.withResolvers<boolean>();
  const socket = connectTcp({ host, port, timeout: 2000 });
  socket.once("connect", () => resolve(true));
  socket.once("error", () => resolve(false));
  socket.once("timeout", () => resolve(false));
  const answered = await promise;
  socket.destroy();
  return answered;
}
