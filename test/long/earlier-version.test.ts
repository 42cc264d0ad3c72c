import { randomBytes } from "node:crypto";
import { readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import type Docker from "dockerode";
import { afterAll, beforeAll, describe, expect, test, vi } from "vitest";
import { dockerEngine } from "../../operations/docker.ts";
import { queryAsSuperuser } from "../../operations/superuser.ts";
import { Checkout } from "../support/checkout.ts";
import { TestProject } from "../support/project.ts";
import { LiveStack } from "../support/security/live-stack.ts";
import { Writer } from "../support/writer.ts";

/** The commit that was released last, or one that the caller names: what it brought up must go on under the present code. */
const EARLIER = process.env["EARLIER"] ?? "fb5a791a9160e7fa0c815c1d8dd10de05a209da9";

// Each is an `up` or a restore, on a machine that has much else to do.
vi.setConfig({ testTimeout: 900_000, hookTimeout: 900_000 });

const name = `earlier-${randomBytes(4).toString("hex")}`;
const SETTINGS = { memoryLimit: "512MB", sharedBuffers: "64MB", maxConnections: 60 };
const docker = dockerEngine();

let checkout: Checkout;
let project: TestProject;
let stack: LiveStack;
let writer: Writer;
let before: Docker.ContainerInspectInfo;
/** A moment between two rows, in the log that the earlier code has archived. */
let inEarlierLog: string;
let inPresentLog: string;

beforeAll(async () => {
  checkout = await Checkout.at(EARLIER, [name]);
  await configure(SETTINGS);
  await start();
  project = await TestProject.in(checkout.folder, name);
  stack = await LiveStack.of(project);
  await pgstack("backup --kind full");
  await stack.write("CREATE TABLE public.ledger (entry text PRIMARY KEY);");
  await enter("before");
  inEarlierLog = await moment();
  await enter("a moment later");
  await pgstack("backup --kind logical");
  await pgstack("restore-point archived-by-the-earlier");
  writer = await Writer.start(stack, "written");
  before = await server();
});

afterAll(async () => {
  await writer?.end();
  await checkout?.remove();
});

async function configure(settings: Readonly<Record<string, unknown>>): Promise<void> {
  const file = join(checkout.folder, `Pulumi.${name}.yaml`);
  const salt = (await readFile(file, "utf8").catch(() => ""))
    .split("\n")
    .filter((line) => line.startsWith("encryptionsalt"));
  const config = Object.entries(settings).map(([key, value]) => `  pgstack:${key}: ${JSON.stringify(value)}`);
  await writeFile(file, [...salt, "config:", ...config, ""].join("\n"));
}

function start(options = ""): Promise<string> {
  return checkout.line(`npm start -- --stack ${name} ${options}`);
}

function pgstack(words: string): Promise<string> {
  return checkout.line(`./pgstack --stack ${name} ${words}`);
}

function pulumi(words: string): Promise<string> {
  return checkout.line(`eval "$(./pgstack env)"; pulumi ${words} --stack ${name} --non-interactive`);
}

async function enter(entry: string): Promise<void> {
  await stack.write(`INSERT INTO public.ledger VALUES ('${entry}');`);
}

async function entries(): Promise<string[]> {
  const sql = "SELECT entry FROM public.ledger ORDER BY entry";
  const rows = await queryAsSuperuser<{ entry: string }>(stack.target, sql, { database: "app" });
  return rows.map(({ entry }) => entry);
}

/** The server's present time. */
async function moment(): Promise<string> {
  const sql = `to_char(clock_timestamp() AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"')`;
  return (await stack.value(sql)) ?? "";
}

function server(): Promise<Docker.ContainerInspectInfo> {
  return docker.getContainer(stack.target.container).inspect();
}

async function expectNoChanges(): Promise<void> {
  await pulumi("preview --refresh --expect-no-changes");
}

describe("a stack that an earlier version of the project has brought up", () => {
  test("is brought up to date with its data, replacing what the preview said it would, under a client that writes", async () => {
    await writer.progress();
    await checkout.bringUpToDate();
    const preview = await start("--preview");
    const replaces = /docker:index:Container\s+server\S*\s+replace/.test(preview);
    await writer.progress();
    await start();
    await writer.progress();
    stack = await LiveStack.of(project);
    const now = await server();
    expect(now.Id !== before.Id, preview).toBe(replaces);
    expect(dataVolume(now)).toBe(dataVolume(before));
    await writer.finish();
    expect(await entries()).toEqual(["a moment later", "before"]);
    await expectNoChanges();
  });

  test("takes a change of a setting and a refresh, and is as declared afterwards", async () => {
    await configure({ ...SETTINGS, maxConnections: 70 });
    await start();
    expect(await stack.value("current_setting('max_connections')")).toBe("70");
    await pulumi("refresh --yes");
    await expectNoChanges();
  });

  test("has a password rotated", async () => {
    const old = stack.credential("application").password;
    await pgstack("rotate application");
    stack = await LiveStack.of(project);
    expect(stack.credential("application").password).not.toBe(old);
    await (await stack.session("application")).end();
    await expect(stack.session("application", { password: old })).rejects.toThrow(/the password is refused/);
    await expectNoChanges();
  });

  test("is backed up, healthy, and restored by a drill; its earlier backups are verified as well", async () => {
    await enter("after");
    inPresentLog = await moment();
    await enter("last");
    await pgstack("backup --kind full");
    await pgstack("backup --kind logical");
    expect(await pgstack("drill")).toMatch(/^ok: backup /m);
    expect(await pgstack("verify --all --deep")).not.toMatch(/failed/);
    expect(await pgstack("health --full")).not.toMatch(/^failed/m);
  });

  test("is restored from the log that was archived before the change and after it, without a gap", async () => {
    await pgstack("restore --latest --yes");
    expect(await entries()).toEqual(["a moment later", "after", "before", "last"]);
    await pgstack(`restore --time ${inPresentLog} --yes`);
    expect(await entries()).toEqual(["a moment later", "after", "before"]);
    await pgstack(`restore --time ${inEarlierLog} --yes`);
    expect(await entries()).toEqual(["before"]);
    await expectNoChanges();
  });

  test("is destroyed, and leaves nothing", async () => {
    const { container } = stack.target;
    await pulumi("destroy --yes");
    expect(await project.things()).toEqual({ containers: [], volumes: [], networks: [] });
    const containers = await docker.listContainers({ all: true, filters: { name: [container] } });
    const { Volumes: volumes } = await docker.listVolumes({ filters: { name: [container] } });
    const networks = await docker.listNetworks({ filters: { name: [container] } });
    expect([containers, volumes, networks]).toEqual([[], [], []]);
  });
});

function dataVolume({ Mounts }: Docker.ContainerInspectInfo): string | undefined {
  return Mounts.find(({ Destination }) => Destination === "/var/lib/postgresql/data")?.Name;
}
