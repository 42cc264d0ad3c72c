import { once } from "node:events";
import { connect as openSocket } from "node:net";
import fc from "fast-check";
import { afterAll, afterEach, beforeAll, describe, expect, onTestFinished, test, vi } from "vitest";
import { harmless, print, printable, printJson, printLine, table } from "../../cli/print.ts";
import { dockerEndpoint } from "../../operations/docker.ts";
import { applyRole } from "../../operations/roles.ts";
import { type PoolServer, type Served, servePool } from "../../operations/testing/pool-server.ts";
import { UserError } from "../../operations/user-error.ts";
import { dynamicProvider } from "../../providers/provider.ts";
import { outputs, pgstack } from "../support/fake-pulumi.ts";
import { startServer, type TestServer } from "../support/server.ts";
import { withSession } from "../support/sessions.ts";

// biome-ignore lint/suspicious/noControlCharactersInRegex: they are what must not be there
const STEERS = /[\u0000-\u0008\u000b-\u001f\u007f-\u009f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069]/;
/** A name that clears the screen, sets the window's title, turns the text round and begins a row of its own. */
const EVIL = "t\u001b[2J\u001b]0;owned\u0007\u009b31m\u007f\u202eetirw\u2066\r\nok  drift";

afterEach(() => vi.restoreAllMocks());

function printed(work: () => void): string {
  const written: string[] = [];
  vi.spyOn(process.stdout, "write").mockImplementation((text) => {
    written.push(String(text));
    return true;
  });
  work();
  vi.restoreAllMocks();
  return written.join("");
}

describe("what is printed", () => {
  test("steers no terminal, whatever names are in it and by whichever way it is printed [F15]", () => {
    fc.assert(
      fc.property(fc.oneof(fc.string({ unit: "binary" }), fc.constant(EVIL)), (name) => {
        for (const text of [
          harmless(name),
          printable(name),
          printed(() => printLine(name)),
          printed(() => print(name)),
          printed(() => printJson({ [name]: name })),
          table([[name, "x"]]),
        ]) {
          expect(text).not.toMatch(STEERS);
        }
        expect(JSON.parse(printed(() => printJson({ name })))).toEqual({ name });
      }),
    );
  });

  test("keeps lines, tabs and our own styles, and shows what was there", () => {
    expect(printable("a\tb\n\u001b[32mok\u001b[39m \u001b[5mblink\u202e")).toBe(
      "a\tb\n\u001b[32mok\u001b[39m \\x1b[5mblink\\u202e",
    );
    expect(table([[EVIL, "end"]]).split("\n")).toHaveLength(2);
  });

  test("is escaped where a resource tells drift or fails, before Pulumi prints it", async () => {
    const said = vi.spyOn(console, "error").mockImplementation(() => {});
    const provider = dynamicProvider<{ a: number }, object>({
      create: () => Promise.reject(new UserError(`role ${EVIL}`)),
      update: () => Promise.reject(new Error(`role ${EVIL}`)),
      drift: async () => [`role ${EVIL}: more`],
    });
    await provider.diff?.("id", { a: 1 }, { a: 1 });
    expect(said.mock.calls.flat().join("")).toMatch(/^drift: role t\\x1b/);
    expect(said.mock.calls.flat().join("")).not.toMatch(/[\n\r]/);
    for (const failing of [provider.create({ a: 1 }), provider.update?.("id", { a: 1 }, { a: 2 })]) {
      const error = await failing?.catch((reason: unknown) => reason);
      expect(error).toBeInstanceOf(Error);
      const { message, stack = "" } = error as Error;
      expect(message).toContain("\\x1b");
      expect(`${message}${stack}`).not.toMatch(STEERS);
    }
  });
});

describe("pgstack logs", () => {
  let server: TestServer;
  const credential = { role: "feeder", password: "secret of the feeder" };
  beforeAll(async () => {
    server = await startServer();
    await applyRole(server.target, {
      kind: "application",
      name: credential.role,
      password: credential.password,
    });
  });
  afterAll(() => server?.remove());

  test("shows what the application feeds into the log with its control characters escaped, a line a line", async () => {
    const sql = `SELECT 'fed \u001b]0;owned\u0007\u009b2J\u202e', '\tsecond'\n  AS line`;
    await withSession(server, credential, (client) => client.query(sql), "postgres");
    const { exitCode, stdout, stderr } = await pgstack(
      ["logs", "--lines", "100"],
      { outputs: outputs({ target: { ...server.target, stack: "dev" } }) },
      { DOCKER_HOST: dockerEndpoint() },
    );
    expect([exitCode, stderr]).toEqual([0, ""]);
    const line = stdout.split("\n").findIndex((text) => text.includes("fed "));
    expect(stdout.split("\n")[line]).toContain("fed \\x1b]0;owned\\x07\\x9b2J\\u202e', '\tsecond'");
    expect(stdout.split("\n")[line + 1]).toMatch(/AS line$/);
    expect(stdout).not.toMatch(STEERS);
  });
});

describe("the pool's service", () => {
  const TOKEN = "token";
  const lease = { lease: "l", database: "d", expiresAt: "2026-11-29T10:00:00Z" };
  const pool: Served = {
    acquire: async () => lease,
    reset: async () => lease,
    release: async () => {},
    list: async () => [],
    keepReady: () => {},
  };

  async function served(): Promise<PoolServer> {
    const server = await servePool(pool, { port: 0, token: TOKEN, connection: () => ({}) });
    onTestFinished(() => server.close());
    return server;
  }
  const post = (server: PoolServer, body: string, path = "/databases") =>
    fetch(`http://127.0.0.1:${server.port}${path}`, {
      method: "POST",
      headers: { authorization: `Bearer ${TOKEN}` },
      body,
    });

  test.each([
    ["a NUL", JSON.stringify({ takenBy: "a\0b" }), /^takenBy: control characters are not taken$/],
    ["an escape sequence", JSON.stringify({ takenBy: "\u001b[2J" }), /^takenBy: control characters/],
    ["half a character", '{"takenBy":"\\ud800"}', /^takenBy: control characters/],
    ["a NUL in place of JSON", "\0", /^the request is no JSON$/],
    [
      "a body without end",
      "x".repeat(20 * 1024 ** 2),
      /^the request is too long: 16384 bytes are the limit$/,
    ],
  ])("answers %s in a request with one line, and goes on [F15]", async (_, body, message) => {
    const server = await served();
    const refused = await post(server, body);
    expect(refused.status).toBe(400);
    expect(((await refused.json()) as { error: string }).error).toMatch(message);
    expect((await post(server, "{}")).status).toBe(201);
  });

  test("answers an address that is none with one line [F15]", async () => {
    const server = await served();
    const socket = openSocket(server.port, "127.0.0.1");
    socket.end(`GET // HTTP/1.1\r\nhost: x\r\nauthorization: Bearer ${TOKEN}\r\nconnection: close\r\n\r\n`);
    const pieces: Buffer[] = [];
    socket.on("data", (piece: Buffer) => pieces.push(piece));
    await once(socket, "close");
    expect(Buffer.concat(pieces).toString()).toMatch(/^HTTP\/1\.1 400 .*the request's address is not right/s);
  });

  test("answers who waits before it ends, however long that takes", async () => {
    const asked = Promise.withResolvers<void>();
    const free = Promise.withResolvers<typeof lease>();
    const full: Served = {
      ...pool,
      acquire: () => {
        asked.resolve();
        return free.promise;
      },
    };
    const server = await servePool(full, { port: 0, token: TOKEN, connection: () => ({}) });
    const silent = openSocket(server.port, "127.0.0.1");
    const answered = post(server, "{}");
    await asked.promise;
    const ended = server.close();
    // Its time for closing is over when this one is closed.
    silent.on("error", () => {});
    await once(silent, "close");
    free.resolve(lease);
    expect((await answered).status).toBe(201);
    await ended;
  });

  test("ends also while a caller goes on sending what was refused, or sends nothing at all", async () => {
    const server = await servePool(pool, { port: 0, token: TOKEN, connection: () => ({}) });
    const sending = openSocket(server.port, "127.0.0.1");
    const silent = openSocket(server.port, "127.0.0.1");
    const ends = [sending, silent].map((socket) => {
      socket.on("error", () => {});
      return once(socket, "close");
    });
    sending.write(
      `POST /databases HTTP/1.1\r\nhost: x\r\nauthorization: Bearer ${TOKEN}\r\ncontent-length: 20000000\r\n\r\n`,
    );
    sending.write("x".repeat(100_000));
    const [answer] = (await once(sending, "data")) as [Buffer];
    expect(answer.toString()).toMatch(/^HTTP\/1\.1 400/);
    const started = performance.now();
    await server.close();
    expect(performance.now() - started).toBeLessThan(15_000);
    await Promise.all(ends);
  });
});
