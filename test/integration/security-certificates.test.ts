import { chmod, mkdir, readdir, readFile, readlink, rename, rm, symlink, writeFile } from "node:fs/promises";
import { join } from "node:path";
import type { Client } from "pg";
import { afterAll, afterEach, beforeAll, describe, expect, test } from "vitest";
import { type Authority, type IssuedCertificates, issueCertificates } from "../../operations/certificates.ts";
import type { Ended } from "../support/project.ts";
import { expiredCertificate } from "../support/security/expired-certificate.ts";
import { inTurn } from "../support/security/in-turn.ts";
import { LiveStack } from "../support/security/live-stack.ts";
import { handshake } from "../support/security/tls-handshake.ts";

const DOMAIN = "db.example.org";

let stack: LiveStack;
let folder: string;
let archive: string;
let authority: Authority;
let issued: IssuedCertificates;
let session: Client;
let start: string | null;
let versions = 0;

beforeAll(async () => {
  stack = await LiveStack.bringUp({}, async (project) => {
    folder = join(project.directory, "certificates", DOMAIN);
    archive = join(project.directory, "archive");
    await mkdir(folder, { recursive: true });
    await mkdir(archive);
    await renew();
    return { tls: { mode: "files", certificatesDirectory: "certificates", domain: DOMAIN } };
  });
  session = await stack.session("application");
  start = await stack.startTime();
});

afterAll(async () => {
  await inTurn(
    () => session?.end(),
    () => stack?.project.remove(),
  );
});

// Whatever a test does to the files: the server went on without a restart, and no session fell.
afterEach(async () => {
  expect((await session.query("SELECT 1 AS one")).rows).toEqual([{ one: 1 }]);
  expect(await stack.startTime()).toBe(start);
});

/** Puts a new pair in place as ACME clients do: new files in the archive, then the links are turned. */
async function renew(): Promise<void> {
  issued = await issueCertificates({ commonName: DOMAIN, names: [DOMAIN], addresses: [] }, authority);
  ({ authority } = issued);
  await place(issued.certificate + authority.certificate, issued.key);
}

async function place(certificate: string, key: string): Promise<void> {
  versions += 1;
  for (const [name, content] of [
    ["fullchain", certificate],
    ["privkey", key],
  ] as const) {
    const file = join(archive, `${name}${versions}.pem`);
    await writeFile(file, content, { mode: 0o600 });
    await symlink(file, join(folder, `${name}.pem.new`));
    await rename(join(folder, `${name}.pem.new`), join(folder, `${name}.pem`));
  }
}

async function served(): Promise<string> {
  const answer = await handshake(stack.target, {});
  return typeof answer === "string" ? answer : answer.fingerprint;
}

describe("S5 certificates from a shared directory", () => {
  test("S5 the pair of {certificates}/{domain} is served, linked as server.crt and server.key, key not in the state", async () => {
    expect(await served()).toBe(issued.fingerprint);
    const links = join(stack.project.directory, ".pgstack", "stacks", stack.project.stack);
    expect((await readdir(links)).sort()).toEqual(["server.crt", "server.key"]);
    expect(await readlink(join(links, "server.key"))).toBe(join(folder, "privkey.pem"));
    expect(await readFile(join(links, "server.crt"), "utf8")).toBe(
      issued.certificate + authority.certificate,
    );
    const { stdout } = await stack.project.pulumi([
      ...["stack", "export", "--show-secrets", "--stack", stack.project.stack],
    ]);
    expect(stdout).not.toContain(issued.key.split("\n")[1]);
    expect(stdout).not.toContain("PRIVATE KEY");
    expect(stack.trust).toMatchObject({ serverName: DOMAIN });
  });

  test("S5 renewed files and up: served without a restart while a session stays up; a further up changes nothing", async () => {
    await renew();
    const preview = await stack.project.pulumi(["preview"]);
    expect(preview.output).toMatch(/ServerConfiguration .*server-configuration .*update/);
    await stack.up();
    expect(await served()).toBe(issued.fingerprint);
    await stack.session("readonly").then((client) => client.end());
    expect((await stack.project.pulumi(["preview", "--expect-no-changes"])).code).toBe(0);
  });

  test("S5 a chain without its root, as ACME clients write it, is served and passes the health check", async () => {
    issued = await issueCertificates({ commonName: DOMAIN, names: [DOMAIN], addresses: [] }, authority);
    await place(issued.certificate, issued.key);
    const { output } = await stack.up();
    expect(output).toMatch(/warning: .*fullchain\.pem ends below its root \(CN=db\.example\.org authority\)/);
    expect(await served()).toBe(issued.fingerprint);
    await stack.session("application").then((client) => client.end());
  });
});

describe("S5 F10 F12 files that are wrong are refused before the server is touched", () => {
  /** `up` fails with one line and changes nothing. */
  async function expectRefusal(message: RegExp): Promise<Ended> {
    const before = await served();
    const audit = await stack.project.run("sh", ["-c", "cat logs/audit-*.log"]);
    const ended = await stack.project.up();
    expect(ended.code).not.toBe(0);
    expect(ended.output).toMatch(message);
    expect(ended.output).not.toMatch(/\n\s+at /);
    expect(ended.output).not.toMatch(/ServerConfiguration .*updat/);
    expect(await served()).toBe(before);
    expect((await stack.project.run("sh", ["-c", "cat logs/audit-*.log"])).stdout).toBe(audit.stdout);
    return ended;
  }

  afterEach(async () => {
    await place(issued.certificate + authority.certificate, issued.key);
  });

  test("F10 a key that belongs to another certificate", async () => {
    const other = await issueCertificates({ commonName: DOMAIN, names: [DOMAIN], addresses: [] }, authority);
    await place(issued.certificate, other.key);
    const { output } = await expectRefusal(
      /key .*privkey\.pem does not belong to certificate .*fullchain\.pem/,
    );
    expect(output).not.toContain(other.key.split("\n")[1]);
  });

  test("F12 a key that all can read, with the mode that is right", async () => {
    await chmod(join(folder, "privkey.pem"), 0o644);
    await expectRefusal(/privkey\.pem can be used by others \(mode 0644\): chmod 0600 is right/);
  });

  test("S5 an expired certificate", async () => {
    const { certificate, key } = await expiredCertificate(DOMAIN);
    await place(certificate, key);
    await expectRefusal(/fullchain\.pem expired on 20/);
  });

  test("S5 a missing key, and one that is no key", async () => {
    await rm(join(folder, "privkey.pem"));
    await expectRefusal(/key .*privkey\.pem does not exist/);
    await place(issued.certificate, "not a key\n");
    await expectRefusal(/privkey\.pem is not a private key in PEM format/);
  });

  test("S5 after the right files are back, up goes on as before", async () => {
    await stack.up();
    expect(await served()).toBe(issued.fingerprint);
  });
});
