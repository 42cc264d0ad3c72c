import { createServer } from "node:net";
import { describe, expect, onTestFinished, test } from "vitest";
import { dockerEngine, findNetwork, findVolume } from "../../operations/docker.ts";
import { resolveImage } from "../../operations/image.ts";
import { type PreflightOptions, preflight } from "../../operations/preflight.ts";
import { LABEL_STACK } from "../../operations/target.ts";
import { UserError } from "../../operations/user-error.ts";
import { readVolumeFile, writeVolumeFiles } from "../../operations/volume-files.ts";
import { TEST_IMAGE } from "../support/image.ts";
import { temporaryVolume, uniqueName } from "../support/volumes.ts";

const docker = dockerEngine();
const NOWHERE = "registry.invalid/nothing/postgres:16";

function options(change: Partial<PreflightOptions> = {}): PreflightOptions {
  const stack = uniqueName("stack");
  const names = { stack, container: stack, dataVolume: stack, networks: [stack] };
  return { ...names, image: TEST_IMAGE, major: 16, ...change };
}

async function fill(volume: string, files: Record<string, string>): Promise<void> {
  await writeVolumeFiles(docker, {
    volume,
    image: TEST_IMAGE,
    directory: "",
    files: Object.entries(files).map(([path, content]) => ({ path, content, mode: 0o600 })),
    labels: {},
  });
}

describe("P1 P2 a free host", () => {
  test("P1 nothing in the way: engine, image and room are told, and nothing is made", async () => {
    const wanted = options({ publish: { address: "127.0.0.1", port: await freePort() } });
    const result = await preflight(docker, wanted);
    expect(result).toMatchObject({ dataVolume: "absent", image: { reference: TEST_IMAGE, major: 16 } });
    expect(result.engineVersion).toMatch(/^\d+\.\d+/);
    expect(result.image.imageId).toMatch(/^sha256:[0-9a-f]{64}$/);
    expect(await findVolume(docker, wanted.dataVolume)).toBeUndefined();
  });

  test("P2 the same image gives the same answer each time", async () => {
    const first = await resolveImage(docker, TEST_IMAGE);
    expect(await resolveImage(docker, TEST_IMAGE)).toEqual(first);
    expect((await resolveImage(docker, first.pinned)).imageId).toBe(first.imageId);
  });
});

describe("F01 the image", () => {
  test("F01 one that cannot be pulled: one line with image and reason", async () => {
    const attempt = preflight(docker, options({ image: NOWHERE }));
    await expect(attempt).rejects.toBeInstanceOf(UserError);
    await expect(attempt).rejects.toThrow(
      /^image registry\.invalid\/nothing\/postgres:16 cannot be pulled: [^\n]+$/,
    );
  });

  test("F01 one that must not be pulled, and one that is no reference", async () => {
    await expect(resolveImage(docker, NOWHERE, { pull: false })).rejects.toThrow("is not on the Docker host");
    await expect(resolveImage(docker, "Postgres 16")).rejects.toThrow("is not a reference such as");
    await expect(resolveImage(docker, "UPPER/Case:16")).rejects.toThrow("is not a reference such as");
  });

  test("P2 one of another major version than the stack is for", async () => {
    await expect(preflight(docker, options({ major: 18 }))).rejects.toThrow(
      /holds PostgreSQL 16, and pgstack:majorVersion is 18: set pgstack:image to one of PostgreSQL 18/,
    );
  });
});

describe("F03 the port", () => {
  test("F03 taken by a process: refused before anything is made, with the process", async () => {
    const port = await listen();
    const wanted = options({ publish: { address: "127.0.0.1", port } });
    await expect(preflight(docker, wanted)).rejects.toThrow(
      new RegExp(
        `^port ${port} on 127.0.0.1 is in use by process \\S.* \\(${process.pid}\\): set pgstack:publishPort`,
      ),
    );
    expect(await findVolume(docker, wanted.dataVolume)).toBeUndefined();
    expect(await findNetwork(docker, wanted.container)).toBeUndefined();
  });

  test("F03 taken on all addresses is taken on one", async () => {
    const port = await listen("0.0.0.0");
    await expect(preflight(docker, options({ publish: { address: "127.0.0.1", port } }))).rejects.toThrow(
      /is in use by process/,
    );
  });

  test("F03 taken by a container: refused with its name, unless it is the stack's own", async () => {
    const wanted = options({ publish: { address: "127.0.0.1", port: await freePort() } });
    const labels = { [LABEL_STACK]: wanted.stack };
    const network = await docker.createNetwork({ Name: wanted.stack, Labels: labels });
    onTestFinished(() => network.remove());
    const container = await docker.createContainer({
      name: wanted.container,
      Image: TEST_IMAGE,
      Entrypoint: ["sleep", "600"],
      Labels: labels,
      ExposedPorts: { "5432/tcp": {} },
      HostConfig: {
        NetworkMode: network.id,
        PortBindings: { "5432/tcp": [{ HostIp: "127.0.0.1", HostPort: String(wanted.publish?.port) }] },
      },
    });
    onTestFinished(() => container.remove({ force: true, v: true }));
    await container.start();
    const another = { ...options(), publish: wanted.publish ?? { address: "", port: 0 } };
    await expect(preflight(docker, another)).rejects.toThrow(`in use by container ${wanted.container}: set`);
    expect((await preflight(docker, wanted)).dataVolume).toBe("absent");
  });

  test("F03 an address that is not the host's", async () => {
    const attempt = preflight(docker, options({ publish: { address: "192.0.2.1", port: 5432 } }));
    await expect(attempt).rejects.toThrow("pgstack:publishAddress 192.0.2.1 is not an address of this host");
  });
});

describe("F05 the data volume", () => {
  test.each([
    ["15", /holds PostgreSQL 15 data, and the image PostgreSQL 16/],
    ["18", /holds PostgreSQL 18 data, and the image PostgreSQL 16/],
  ])("F05 with data of version %s: refused, untouched", async (version, message) => {
    const wanted = options();
    const volume = await temporaryVolume(wanted.stack);
    await fill(volume, { PG_VERSION: `${version}\n`, "base/1/1": "rows" });
    await expect(preflight(docker, { ...wanted, dataVolume: volume })).rejects.toThrow(message);
    expect((await readVolumeFile(docker, { volume, image: TEST_IMAGE, path: "base/1/1" }))?.toString()).toBe(
      "rows",
    );
  });

  test("F05 with another cluster than the stack had", async () => {
    const wanted = options({ systemIdentifier: "2" });
    const volume = await temporaryVolume(wanted.stack);
    const proof = { stack: wanted.stack, provenAt: "2026-01-01T00:00:00Z", systemIdentifier: "1" };
    await fill(volume, { PG_VERSION: "16\n", "pgstack.json": JSON.stringify(proof) });
    await expect(preflight(docker, { ...wanted, dataVolume: volume })).rejects.toThrow("another cluster (1)");
    const result = await preflight(docker, { ...wanted, dataVolume: volume, systemIdentifier: "1" });
    expect(result.dataVolume).toBe("cluster");
  });

  test("F05 of another stack, and of nobody until it is adopted", async () => {
    const wanted = options();
    const theirs = await temporaryVolume("another");
    await expect(preflight(docker, { ...wanted, dataVolume: theirs })).rejects.toThrow(
      "belongs to stack another",
    );
    const nobodys = await temporaryVolume();
    await fill(nobodys, { PG_VERSION: "16\n" });
    await expect(preflight(docker, { ...wanted, dataVolume: nobodys })).rejects.toThrow(
      "set pgstack:adoptDataVolume to true",
    );
    const adopted = await preflight(docker, { ...wanted, dataVolume: nobodys, adoptDataVolume: true });
    expect(adopted.dataVolume).toBe("cluster");
  });

  test("F05 with other files, and with what our own broken first try left", async () => {
    const wanted = options();
    const nobodys = await temporaryVolume();
    await fill(nobodys, { "photo.jpg": "x" });
    const adopt = { ...wanted, dataVolume: nobodys, adoptDataVolume: true };
    await expect(preflight(docker, adopt)).rejects.toThrow("no PostgreSQL data");
    const ours = await temporaryVolume(wanted.stack);
    expect((await preflight(docker, { ...wanted, dataVolume: ours })).dataVolume).toBe("empty");
    await fill(ours, { "global/pg_control": "half" });
    expect((await preflight(docker, { ...wanted, dataVolume: ours })).dataVolume).toBe("unproven");
  });
});

describe("S4 F06 names and room", () => {
  test("S4 a network of another stack", async () => {
    const name = uniqueName("network");
    const network = await docker.createNetwork({
      Name: name,
      Internal: true,
      Labels: { [LABEL_STACK]: "another" },
    });
    onTestFinished(() => network.remove());
    await expect(preflight(docker, options({ networks: [name] }))).rejects.toThrow(
      `network ${name} belongs to stack another: set pgstack:networkName to another name`,
    );
  });

  test("a volume of another stack is refused under any name of this one, one without a label is not", async () => {
    const [name, free] = [uniqueName("other"), uniqueName("other")];
    onTestFinished(async () => {
      for (const volume of [name, free]) await docker.getVolume(volume).remove();
    });
    await docker.createVolume({ Name: name, Labels: { [LABEL_STACK]: "other" } });
    await docker.createVolume({ Name: free });
    const derived = (volume: string) =>
      options({ derived: [{ kind: "volume", name: volume, setting: "configurationVolumeName" }] });
    await expect(preflight(docker, derived(name))).rejects.toThrow(
      `volume ${name} belongs to stack other: set pgstack:configurationVolumeName to another name`,
    );
    await preflight(docker, derived(free));
  });

  test("F06 too little room", async () => {
    await expect(preflight(docker, options({ minimumFreeBytes: 2 ** 60 }))).rejects.toThrow(
      /has .+ free, and .+ are needed/,
    );
  });
});

async function listen(host = "127.0.0.1"): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, host, resolve));
  onTestFinished(() => new Promise<void>((resolve) => server.close(() => resolve())));
  const address = server.address();
  return typeof address === "object" && address !== null ? address.port : 0;
}

async function freePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const address = server.address();
  await new Promise((resolve) => server.close(resolve));
  return typeof address === "object" && address !== null ? address.port : 0;
}
