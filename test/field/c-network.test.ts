import { randomBytes } from "node:crypto";
import type Docker from "dockerode";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { dockerEngine } from "../../operations/docker.ts";
import { ensureNetwork, networkExists, removeNetwork } from "../../operations/network.ts";
import { LABEL_STACK } from "../../operations/target.ts";
import { TEST_IMAGE } from "../support/image.ts";
import { LiveStack } from "../support/security/live-stack.ts";

const docker = dockerEngine();
const made: Docker.Container[] = [];

async function removeMade(): Promise<void> {
  for (const container of made.splice(0)) await container.remove({ force: true, v: true });
}

/** A container as an application has it, with a name of its own in the network. */
async function application(
  network: string,
  { own = "bridge", running = true } = {},
): Promise<Docker.Container> {
  const container = await docker.createContainer({
    Image: TEST_IMAGE,
    Entrypoint: ["sleep"],
    Cmd: ["600"],
    HostConfig: { NetworkMode: own },
    NetworkingConfig: { EndpointsConfig: { [own]: own === network ? { Aliases: ["shop"] } : {} } },
  });
  made.push(container);
  if (own !== network) {
    await docker
      .getNetwork(network)
      .connect({ Container: container.id, EndpointConfig: { Aliases: ["shop"] } });
  }
  if (running) await container.start();
  return container;
}

async function networksOf(container: Docker.Container): Promise<Record<string, string[]>> {
  const { NetworkSettings } = await container.inspect();
  return Object.fromEntries(
    Object.entries(NetworkSettings.Networks).map(([name, { Aliases }]) => [name, Aliases ?? []]),
  );
}

describe("containers of others in a stack's network (C7)", () => {
  let stack: LiveStack;

  beforeAll(async () => {
    stack = await LiveStack.bringUp();
  });

  afterAll(async () => {
    await removeMade();
    await stack?.project.remove();
  });

  test("a change of labels changes no network, and nothing is cut off", async () => {
    const name = stack.target.container;
    const { Id } = await docker.getNetwork(name).inspect();
    const client = await application(name);
    await application(name, { own: name });
    await stack.change({ labels: { team: "billing" } });
    expect((await docker.getNetwork(name).inspect()).Id).toBe(Id);
    const { Config } = await docker.getContainer(name).inspect();
    expect(Config.Labels).toMatchObject({ team: "billing" });
    expect(await networksOf(client)).toEqual({ bridge: [], [name]: ["shop"] });
  });

  test("a network of another name has them in the same up, under the names that they had", async () => {
    const [client, bound] = made as [Docker.Container, Docker.Container];
    const networkName = `${stack.target.container}-other`;
    const { output } = await stack.change({ networkName, labels: { team: "billing" } });
    expect(await networksOf(client)).toEqual({ bridge: [], [networkName]: ["shop"] });
    const { Name } = await bound.inspect();
    expect(output).toContain(
      `container ${Name.slice(1)} is cut off: it was made with --network ${stack.target.container}, which is gone`,
    );
    const preview = await stack.project.pulumi(["preview", "--refresh", "--expect-no-changes"]);
    expect(preview.code, preview.output).toBe(0);
  });
});

test("a network of the right name that is not internal is none, and is made anew", async () => {
  const stack = `t${randomBytes(4).toString("hex")}`;
  const wanted = { stack, network: stack, internal: true, labels: { [LABEL_STACK]: stack } };
  const { id } = await docker.createNetwork({ Name: stack, Internal: false, Labels: wanted.labels });
  try {
    expect(await networkExists(wanted)).toBe(false);
    const made = await ensureNetwork(wanted);
    expect(made).not.toBe(id);
    expect(await docker.getNetwork(stack).inspect()).toMatchObject({ Id: made, Internal: true });
    expect(await networkExists(wanted)).toBe(true);
    expect(await ensureNetwork(wanted)).toBe(made);
    // The other way round it is none either: nothing could be published from it.
    expect(await networkExists({ ...wanted, internal: false })).toBe(false);
    expect(await networkExists({ ...wanted, stack: "other" })).toBe(false);
  } finally {
    await removeNetwork(wanted);
  }
});

test("a run that was killed between the two leaves it to the next, for stopped containers too (C7)", async () => {
  const stack = `t${randomBytes(4).toString("hex")}`;
  const wanted = { stack, network: stack, internal: true, labels: { [LABEL_STACK]: stack } };
  await ensureNetwork(wanted);
  try {
    const [running, stopped, gone] = [
      await application(stack),
      await application(stack, { running: false }),
      await application(stack),
    ];
    await removeNetwork(wanted);
    await gone.remove({ force: true, v: true });
    made.splice(made.indexOf(gone), 1);
    await ensureNetwork(wanted);
    expect(await networksOf(running)).toMatchObject({ [stack]: ["shop"] });
    expect(await networksOf(stopped)).toMatchObject({ [stack]: ["shop"] });
    await stopped.start();
  } finally {
    await removeMade();
    await removeNetwork(wanted);
  }
});

test("containers that others had put beside the agent, to be its storage, are in the network that it has now (B11)", async () => {
  const stack = `t${randomBytes(4).toString("hex")}`;
  const labels = { [LABEL_STACK]: stack };
  const former = { stack, network: `${stack}-access`, internal: false, outgoing: true, labels };
  const storage = { ...former, network: `${stack}-storage`, formerly: former.network };
  const published = { ...former, outgoing: false };
  try {
    await ensureNetwork(former);
    const beside = await application(former.network);
    await ensureNetwork(storage);
    expect(await networksOf(beside)).toMatchObject({ [storage.network]: ["shop"] });
    // What publishes now lets nothing out, and nobody that is only there is put beside the agent.
    await removeNetwork(former);
    await ensureNetwork(published);
    expect(await networkExists(published)).toBe(true);
    await removeNetwork(storage);
    const client = await application(published.network);
    await ensureNetwork(storage);
    expect(Object.keys(await networksOf(client))).not.toContain(storage.network);
  } finally {
    await removeMade();
    for (const one of [former, storage]) await removeNetwork(one);
  }
});
