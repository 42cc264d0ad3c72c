import { mkdir, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { connect } from "../../operations/connection.ts";
import { DATA_MOUNT } from "../../operations/data-directory.ts";
import { dockerEngine, findContainer } from "../../operations/docker.ts";
import { LABEL_STACK } from "../../operations/target.ts";
import { TEST_IMAGE } from "../support/image.ts";
import { type Ended, TestProject } from "../support/project.ts";
import { startServer, type TestServer } from "../support/server.ts";

const docker = dockerEngine();

/** This project, with programs of others in folders below it. */
let project: TestProject;

beforeAll(async () => {
  project = await TestProject.create();
});

afterAll(() => project?.remove());

describe("G1 from another program", () => {
  test("G1 all components together: the program of docs/components.md comes up, changes nothing twice, and goes", async () => {
    const manual = await readFile(new URL("../../docs/components.md", import.meta.url), "utf8");
    const [, example = ""] = /```ts\n([\s\S]*?)```/.exec(manual) ?? [];
    const source = example
      .replaceAll("../pgstack/", "../")
      .replaceAll("shop-db", project.container)
      .replaceAll("shop-data", `${project.container}-data`)
      .replaceAll("shop-configuration", `${project.container}-configuration`)
      .replace('"postgres:16-alpine"', JSON.stringify(TEST_IMAGE));
    const outputs = `
export const passwords = pulumi.secret(pulumi.all(secrets.passwords));
export const authority = certificates.authority;`;
    const shop = await program("shop", source + outputs);
    const up = await shop(["up", "--yes", "--skip-preview"]);
    expect(up.code, up.output).toBe(0);

    const { passwords, authority } = JSON.parse(
      (await shop(["stack", "output", "--json", "--show-secrets"])).stdout,
    );
    const target = { ...project.target, database: "shop" };
    const credential = { role: "reports", password: passwords.readonly };
    const client = await connect(target, credential, { authority, serverName: project.container });
    expect((await client.query("SELECT current_user AS role")).rows).toEqual([{ role: "reports" }]);
    await client.end();

    await expectNoChanges(shop);
    const destroyed = await shop(["destroy", "--yes", "--skip-preview"]);
    expect(destroyed.code, destroyed.output).toBe(0);
    expect(await project.things()).toEqual({ containers: [], volumes: [], networks: [] });
  });
});

describe("G1 each component alone", () => {
  let server: TestServer;
  const made = { network: "", volumes: [] as string[] };

  beforeAll(async () => {
    server = await startServer();
    const labels = { [LABEL_STACK]: project.stack };
    made.network = `${project.stack}-own`;
    made.volumes = [`${project.stack}-own-data`, `${project.stack}-own-configuration`];
    await docker.createNetwork({ Name: made.network, Internal: true, Labels: labels });
    for (const Name of made.volumes) await docker.createVolume({ Name, Labels: labels });
  });

  afterAll(() => server?.remove());

  test("G1 network, volumes, secrets, certificates, server, database and health check, each without the others", async () => {
    const { imageId, pinned } = await resolved();
    const names = {
      stack: project.stack,
      server: server.target,
      made,
      image: { reference: TEST_IMAGE, imageId, pinned, major: 16, agent: true, volumes: [DATA_MOUNT] },
    };
    const alone = await program(
      "alone",
      `import * as pulumi from "@pulumi/pulumi";
import { Certificates, DataVolume, Database, HealthCheck, IsolatedNetwork, RoleSecrets, Server } from "../components/index.ts";

const { stack, server: target, made, image } = ${JSON.stringify(names)};
const roles = { administrator: "boss", application: "app_rw", readonly: "app_ro" };
const passwords = { administrator: "one", application: pulumi.secret("two"), readonly: "three" };
const firstProvision = { dataVolume: target.container + "-data", imageId: image.imageId, logsDirectory: "logs" };

export const network = new IsolatedNetwork("network", { stack, networkName: stack + "-n" }).networkName;
export const volume = new DataVolume("volume", { stack, volumeName: stack + "-v", configurationVolumeName: stack + "-c" }).volumeName;
export const secret = new RoleSecrets("secrets", { length: 40 }).passwords.application;
export const authority = new Certificates("certificates", { mode: "generated", serverName: "nobody", linksDirectory: "tls" }).authority;
export const container = new Server("server", {
  ...{ stack, containerName: stack + "-s", database: "app", roles, image, networkName: made.network },
  ...{ dataVolume: made.volumes[0], configurationVolume: made.volumes[1], tls: { mode: "off" }, tlsEnabled: false },
  ...{ parameters: { shared_buffers: "32MB" }, logsDirectory: "logs" },
  limits: { memoryMegabytes: 256, cpus: 0.5, processes: 100, sharedMemoryMegabytes: 64 },
}).containerId;
const database = new Database("database", { target, roles, passwords, schemas: ["sales"], extensions: ["hstore"], firstProvision });
export const health = new HealthCheck("health", {
  ...{ target, roles, passwords, authority: ${JSON.stringify(server.trust.authority)}, serverName: target.container },
  ...{ tls: true, triggers: [database.databaseName], firstProvision },
}).status;
`,
    );
    const up = await alone(["up", "--yes", "--skip-preview"]);
    expect(up.code, up.output).toBe(0);
    const outputs = JSON.parse((await alone(["stack", "output", "--json", "--show-secrets"])).stdout);
    expect(outputs).toMatchObject({
      network: `${project.stack}-n`,
      volume: `${project.stack}-v`,
      secret: expect.stringMatching(/^[A-Za-z0-9]{40}$/),
      authority: expect.stringContaining("BEGIN CERTIFICATE"),
      health: expect.stringMatching(/ok|warning/),
    });
    expect((await findContainer(docker, outputs.container))?.State.Running).toBe(true);
    await expectNoChanges(alone);

    const destroyed = await alone(["destroy", "--yes", "--skip-preview"]);
    expect(destroyed.code, destroyed.output).toBe(0);
    // What the program did not make stays: the network, the volumes and the other server.
    expect(await project.things()).toEqual({
      containers: [],
      volumes: [...made.volumes].sort(),
      networks: [made.network],
    });
    expect((await findContainer(docker, server.target.container))?.State.Running).toBe(true);
  });
});

type Run = (programArguments: readonly string[]) => Promise<Ended>;

/** A Pulumi program of its own in a folder beside the components; runs `pulumi` in it. */
async function program(name: string, source: string): Promise<Run> {
  const folder = join(project.directory, name);
  await mkdir(folder);
  await writeFile(
    join(folder, "Pulumi.yaml"),
    `name: ${name}\nmain: index.ts\nruntime: {name: nodejs, options: {typescript: false}}\n`,
  );
  await writeFile(join(folder, "package.json"), JSON.stringify({ name, type: "module", main: "index.ts" }));
  await writeFile(join(folder, "index.ts"), source);
  const run: Run = (programArguments) =>
    project.run("pulumi", [
      "--cwd",
      folder,
      ...programArguments,
      "--stack",
      project.stack,
      "--non-interactive",
    ]);
  await project.run("pulumi", ["--cwd", folder, "stack", "init", project.stack, "--non-interactive"]);
  return run;
}

async function expectNoChanges(run: Run): Promise<void> {
  const preview = await run(["preview", "--refresh", "--expect-no-changes"]);
  expect(preview.code, preview.output).toBe(0);
}

async function resolved(): Promise<{ imageId: string; pinned: string }> {
  const { Id } = await docker.getImage(TEST_IMAGE).inspect();
  return { imageId: Id, pinned: Id };
}
