import { randomBytes } from "node:crypto";
import { mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test, vi } from "vitest";
import { freePort } from "../../cli/preview-change/free-port.ts";
import { dockerEngine } from "../../operations/docker.ts";
import { removeContainers } from "../../operations/stack-things.ts";
import { Checkout } from "../support/checkout.ts";
import { untilFirstBackup } from "../support/first-backup.ts";
import { TestProject } from "../support/project.ts";
import { S3Server } from "../support/s3/server.ts";
import { archived } from "../support/s3/stack.ts";
import { LiveStack } from "../support/security/live-stack.ts";

/** The last commit whose agent shared its way to an object storage with a published server. */
const EARLIER = "fb5a791";

// Each is an `up`, on a machine that has much else to do.
vi.setConfig({ testTimeout: 900_000, hookTimeout: 900_000 });

const name = `earlier-${randomBytes(4).toString("hex")}`;
/** Whoever has a storage beside the stack is no part of it. */
const other = `${name}-other`;
const docker = dockerEngine();

let checkout: Checkout;
let stack: LiveStack;

beforeAll(async () => {
  checkout = await Checkout.at(EARLIER, [name]);
  const access = { network: `pgstack-${name}-access`, networkOf: name };
  const storage = await S3Server.start(other, access);
  const authority = join("logs", "storage-authority.pem");
  await mkdir(join(checkout.folder, "logs"), { recursive: true });
  await writeFile(join(checkout.folder, authority), storage.authority);
  const settings = {
    ...{ memoryLimit: "512MB", sharedBuffers: "64MB", maxConnections: 60 },
    ...{ publish: true, publishPort: await freePort(), backupS3: storage.setting(authority) },
  };
  const config = Object.entries(settings).map(([key, value]) => `  pgstack:${key}: ${JSON.stringify(value)}`);
  await writeFile(join(checkout.folder, `Pulumi.${name}.yaml`), ["config:", ...config, ""].join("\n"));
  await start();
  stack = await LiveStack.of(await TestProject.in(checkout.folder, name));
  await untilFirstBackup(stack.target);
  await stack.write("CREATE TABLE public.ledger AS SELECT 'kept' AS entry;");
});

afterAll(async () => {
  await removeContainers(other);
  await checkout?.remove();
});

function start(): Promise<string> {
  return checkout.line(`npm start -- --stack ${name}`);
}

async function networksOf(container: string): Promise<string[]> {
  const { NetworkSettings } = await docker.getContainer(container).inspect();
  return Object.keys(NetworkSettings.Networks).sort();
}

test("a published server that shared the agent's way out leaves it in one up, and a storage that stood there is reached by the agent (B11)", async () => {
  const { container } = stack.target;
  expect(await networksOf(container)).toEqual([container, `${container}-access`]);
  expect(await networksOf(`${container}-agent`)).toEqual([`${container}-access`]);
  await checkout.bringUpToDate();
  await start();
  expect(await networksOf(container)).toEqual([container, `${container}-access`]);
  expect(await networksOf(`${container}-agent`)).toEqual([`${container}-storage`]);
  expect(await networksOf(`pgstack-${other}-s3`)).toContain(`${container}-storage`);
  const access = await docker.getNetwork(`${container}-access`).inspect();
  expect(access.Options?.["com.docker.network.bridge.enable_ip_masquerade"]).toBe("false");
  stack = await LiveStack.of(stack.project);
  expect(await stack.value("(SELECT entry FROM public.ledger)")).toBe("kept");
  await expect.poll(() => archived(stack), { timeout: 240_000, interval: 1_000 }).toBe(true);
  await checkout.line(
    `eval "$(./pgstack env)"; pulumi preview --refresh --expect-no-changes --stack ${name} --non-interactive`,
  );
});
