import fc from "fast-check";
import { afterAll, beforeAll, describe, expect, onTestFinished, test } from "vitest";
import { issueCertificates } from "../../operations/certificates.ts";
import { connect } from "../../operations/connection.ts";
import { dockerEngine } from "../../operations/docker.ts";
import { POSTMASTER_PARAMETERS } from "../../operations/postgresql-conf.ts";
import { scramVerifier } from "../../operations/scram.ts";
import { reload } from "../../operations/server-configuration/live-checks.ts";
import { servedCertificate } from "../../operations/server-configuration/served-certificate.ts";
import {
  applyServerConfiguration,
  configurationDrift,
  type ServerConfiguration,
  serverConfigurationFiles,
} from "../../operations/server-configuration.ts";
import { queryAsSuperuser, runAsSuperuser } from "../../operations/superuser.ts";
import { UserError } from "../../operations/user-error.ts";
import { readVolumeFiles, type VolumeFile, writeVolumeFiles } from "../../operations/volume-files.ts";
import { readyServer, sharedConfiguredServer } from "../support/configured-server.ts";
import { TEST_IMAGE } from "../support/image.ts";

/** Each test leaves it with the files that it was started with. */
let server: Awaited<ReturnType<typeof sharedConfiguredServer>>;

beforeAll(async () => {
  server = await sharedConfiguredServer();
});
afterAll(() => server?.remove());

/** For a test that gives the server other files and keeps them. */
function putBackAfterwards(): void {
  onTestFinished(async () => {
    await apply(filesOf());
  });
}

const apply = (files: readonly VolumeFile[]) =>
  applyServerConfiguration(server.target, {
    configurationVolume: server.configurationVolume,
    image: TEST_IMAGE,
    files,
  });
const filesOf = (change: Partial<ServerConfiguration> = {}): VolumeFile[] =>
  serverConfigurationFiles({ ...server.configuration, ...change });
const filesIn = (paths: string[]) =>
  readVolumeFiles(dockerEngine(), { volume: server.configurationVolume, image: TEST_IMAGE, paths });
const fileOf = async (path: string): Promise<string | undefined> =>
  (await filesIn([path])).get(path)?.content.toString();

async function setting(name: string): Promise<string | undefined> {
  const sql = `SELECT setting FROM pg_settings WHERE name = '${name}'`;
  return (await queryAsSuperuser<{ setting: string }>(server.target, sql))[0]?.setting;
}

async function startTime(): Promise<string | undefined> {
  const sql = "SELECT pg_postmaster_start_time()::text AS at";
  return (await queryAsSuperuser<{ at: string }>(server.target, sql))[0]?.at;
}

describe("P6 a server with the stack's files", () => {
  test("P6 starts with every default, and the list of parameters that need a restart is the server's own", async () => {
    const rows = await queryAsSuperuser<{ name: string }>(
      server.target,
      "SELECT name FROM pg_settings WHERE context = 'postmaster' ORDER BY name",
    );
    expect(rows.map((row) => row.name)).toEqual([...POSTMASTER_PARAMETERS].sort());
    const problems = await queryAsSuperuser(
      server.target,
      "SELECT name, error FROM pg_file_settings WHERE error IS NOT NULL OR NOT applied",
    );
    expect(problems).toEqual([]);
    expect(await setting("log_line_prefix")).toBe("%t [%p] %u@%d ");
    expect(await setting("ssl_min_protocol_version")).toBe("TLSv1.2");
    expect(await setting("data_checksums")).toBe("on");
    expect(await setting("log_file_mode")).toBe("0600");
    const hba = await queryAsSuperuser<{ method: string }>(
      server.target,
      "SELECT DISTINCT auth_method AS method FROM pg_hba_file_rules WHERE type <> 'local' ORDER BY 1",
    );
    expect(hba.map((row) => row.method)).toEqual(["reject", "scram-sha-256"]);
  });

  test("F15 any text in a value arrives in the server as that text", async () => {
    const nasty = [
      "'; DROP TABLE x; --",
      "$(touch /tmp/x) `id`",
      "back\\slash\\n '' \"",
      "#not a comment",
      "ü €  😀",
    ];
    const samples = fc.sample(fc.string({ unit: "grapheme", minLength: 1, maxLength: 60 }), {
      numRuns: 40,
      seed: 7,
    });
    const values = [...nasty, ...samples].filter((text) => !/\p{Cc}/u.test(text));
    const parameters = Object.fromEntries(values.map((value, index) => [`pgstack.probe_${index}`, value]));
    const other = await readyServer(parameters);
    const names = Object.keys(parameters).map((name) => `('${name}')`);
    const rows = await queryAsSuperuser<{ name: string; setting: string }>(
      other.target,
      `SELECT name, current_setting(name) AS setting FROM (VALUES ${names.join(", ")}) AS probes (name)`,
    );
    expect(Object.fromEntries(rows.map((row) => [row.name, row.setting]))).toEqual(parameters);
  });

  test("P6 a change is taken over by reload, and what needs a restart is told", async () => {
    putBackAfterwards();
    const changed = { ...server.configuration.parameters, work_mem: "8MB", max_connections: 50 };
    const applied = await apply(filesOf({ parameters: changed }));
    expect(applied).toEqual({
      changed: ["postgresql.conf"],
      reloaded: true,
      pendingRestart: ["max_connections"],
      reset: [],
    });
    expect(await setting("work_mem")).toBe("8192");
    expect(await setting("max_connections")).toBe("100");
    const again = await apply(filesOf({ parameters: changed }));
    expect(again).toMatchObject({ changed: [], reloaded: true, pendingRestart: ["max_connections"] });
  });

  test("P3 F13 a parameter that ALTER SYSTEM overrules, and a file that was changed, are drift; both are put right", async () => {
    await runAsSuperuser(server.target, "ALTER SYSTEM SET work_mem = '9MB';");
    const files = filesOf();
    expect(await configurationDrift(server.target, files)).toEqual(["work_mem was set by ALTER SYSTEM"]);
    const content = "local all all trust\n";
    await writeVolumeFiles(dockerEngine(), {
      ...{ volume: server.configurationVolume, image: TEST_IMAGE, directory: "", labels: {} },
      files: [{ path: "pg_hba.conf", content, mode: 0o600 }],
    });
    expect(await configurationDrift(server.target, files)).toEqual([
      "pg_hba.conf was changed",
      "work_mem was set by ALTER SYSTEM",
    ]);
    const applied = await apply(files);
    expect(applied.reset).toEqual(["work_mem"]);
    expect(await configurationDrift(server.target, files)).toEqual([]);
  });
});

describe("S5 certificates of a running server", () => {
  test("S5 a renewed certificate is served after a reload while a session stays up", async () => {
    putBackAfterwards();
    const password = "correct horse battery staple";
    await runAsSuperuser(server.target, `CREATE ROLE app_rw LOGIN PASSWORD '${scramVerifier(password)}';`);
    await runAsSuperuser(server.target, "CREATE DATABASE app OWNER app_rw;");
    const trust = { authority: server.certificates.authority.certificate, serverName: server.serverName };
    const client = await connect(server.target, { role: "app_rw", password }, trust);
    try {
      const started = await startTime();
      await client.query("CREATE TEMP TABLE kept (n int)");
      await client.query("BEGIN");
      await client.query("INSERT INTO kept VALUES (1)");
      const renewed = await issueCertificates(
        { commonName: server.serverName, names: [server.serverName], addresses: [] },
        server.certificates.authority,
      );
      const certificates = { ...renewed, authority: renewed.authority.certificate };
      const applied = await apply(filesOf({ certificates }));
      expect(applied.changed).toEqual(["tls/server.key", "tls/server.crt"]);
      expect((await servedCertificate(server.target))?.fingerprint256).toBe(renewed.fingerprint);
      await client.query("COMMIT");
      expect((await client.query("SELECT n FROM kept")).rows).toEqual([{ n: 1 }]);
      expect(await startTime()).toBe(started);
      const second = await connect(server.target, { role: "app_rw", password }, trust);
      await second.end();
    } finally {
      await client.end();
    }
  });

  test("F10 a certificate whose key is another's is refused before anything is written, the old one stays", async () => {
    const other = await issueCertificates({ commonName: "other", names: ["other"], addresses: [] });
    const before = await fileOf("tls/server.crt");
    const mixed = { certificate: other.certificate, key: server.certificates.key };
    expect(() => filesOf({ certificates: mixed })).toThrow(/does not belong/);
    const files = filesOf().map((file) =>
      file.path === "tls/server.crt" ? { ...file, content: other.certificate } : file,
    );
    await expect(apply(files)).rejects.toThrow(/the key does not belong to the certificate/);
    expect(await fileOf("tls/server.crt")).toBe(before);
    await reload(server.target);
    expect((await servedCertificate(server.target))?.fingerprint256).toBe(server.certificates.fingerprint);
  });

  test("F12 a key that the server itself would refuse is not taken over, and the old files are put back", async () => {
    const renewed = await issueCertificates(
      { commonName: server.serverName, names: [server.serverName], addresses: [] },
      server.certificates.authority,
    );
    const certificates = { ...renewed, authority: renewed.authority.certificate };
    const files = filesOf({ certificates }).map((file) =>
      file.path === "tls/server.key" ? { ...file, mode: 0o644 } : file,
    );
    await expect(apply(files)).rejects.toThrow(/not taken over its certificate/);
    expect(await fileOf("tls/server.crt")).toBe(server.certificates.certificate);
    expect(await fileOf("tls/server.key")).toBe(server.certificates.key);
    expect((await filesIn(["tls/server.key"])).get("tls/server.key")?.mode).toBe(0o600);
    expect((await servedCertificate(server.target))?.fingerprint256).toBe(server.certificates.fingerprint);
  });
});

test("F12 a mode that was changed by hand is put right", async () => {
  const docker = dockerEngine();
  const volume = { volume: server.configurationVolume, image: TEST_IMAGE };
  const key = { path: "tls/server.key", content: server.certificates.key, mode: 0o644 };
  await writeVolumeFiles(docker, { ...volume, directory: "", files: [key], labels: {} });
  expect((await apply(filesOf())).changed).toEqual(["tls/server.key"]);
  expect((await filesIn(["tls/server.key"])).get("tls/server.key")?.mode).toBe(0o600);
});

describe("P5 F15 files that the server refuses", () => {
  const wrong: [string, Record<string, string | number>, RegExp][] = [
    ["an unknown parameter", { work_memory: "4MB" }, /unrecognized configuration parameter "work_memory"/],
    [
      "an impossible value",
      { work_mem: "4 elephants" },
      /invalid value for parameter "work_mem": "4 elephants"/,
    ],
    [
      "a value out of range",
      { max_connections: 0 },
      /outside the valid range for parameter "max_connections"/,
    ],
  ];
  test("P5 parameters are tried before they are in place", async () => {
    const before = await fileOf("postgresql.conf");
    for (const [what, parameters, message] of wrong) {
      const attempt = apply(filesOf({ parameters }));
      await expect(attempt, what).rejects.toThrow(message);
      await expect(attempt, what).rejects.toBeInstanceOf(UserError);
      await expect(attempt, what).rejects.not.toThrow(/\n/);
      expect(await fileOf("postgresql.conf")).toBe(before);
    }
  });

  test("S6 a pg_hba.conf with a broken line is put back, and the server goes on with the old one", async () => {
    const before = await fileOf("pg_hba.conf");
    const files = filesOf().map((file) =>
      file.path === "pg_hba.conf"
        ? { ...file, content: `${file.content}host all all nonsense what\n` }
        : file,
    );
    await expect(apply(files)).rejects.toThrow(/the server refuses its files: .*pg_hba.conf line \d+/);
    expect(await fileOf("pg_hba.conf")).toBe(before);
    await queryAsSuperuser(server.target, "SELECT 1 AS one");
  });
});
