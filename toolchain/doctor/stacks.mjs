import { ownStacks } from "../own-stacks.mjs";
import { deadLockHolders } from "../state-locks.mjs";
import { askEngine, endpointInUse } from "./engine.mjs";

/** @typedef {import("../doctor.mjs").Finding} Finding */

/**
 * @param {import("../environment.mjs").Tools | undefined} record
 * @param {string} [only] name of the one stack to look at, if it is one of this checkout's; else all
 * @returns {Promise<Finding[]>}
 */
export async function examineStacks(record, only) {
  const all = await ownStacks();
  if (all.length === 0) {
    return [{ name: "stacks", status: "ok", message: "none in this checkout's own state yet" }];
  }
  const containers = await containersByStack(endpointInUse(record));
  const stacks = all.some(({ name }) => name === only) ? all.filter(({ name }) => name === only) : all;
  return (await Promise.all(stacks.map((stack) => examine(stack, containers)))).flat();
}

/**
 * @param {import("../own-stacks.mjs").OwnStack} stack
 * @param {Map<string, {Names: string[], State: string, Status: string}[]> | undefined} containers
 * @returns {Promise<Finding[]>}
 */
async function examine({ name: stack, resources }, containers) {
  const name = `stack ${stack}`;
  /** @type {Finding[]} */
  const findings = [];
  const dead = await deadLockHolders(stack);
  if (dead.length > 0) {
    const mend = `npm start -- --stack ${stack} releases it; by hand: pulumi cancel --stack ${stack}`;
    findings.push({
      name,
      status: "failed",
      message: `locked by a run that was killed (process ${dead.join(", ")})`,
      mend,
    });
  }
  if (resources === 0) return [...findings, { name, status: "ok", message: "nothing is brought up" }];
  if (containers === undefined)
    return [
      ...findings,
      { name, status: "ok", message: `${resources} resources; its containers are not looked at from here` },
    ];
  const own = containers.get(stack) ?? [];
  if (own.length === 0) {
    const mend = `npm start -- --stack ${stack} makes it again from its volume`;
    findings.push({ name, status: "failed", message: "its container is gone", mend });
  }
  for (const { Names, State, Status } of own) {
    const container = Names[0]?.replace(/^\//, "") ?? "a container";
    const healthy = State === "running" && !Status.includes("unhealthy");
    const mend = `./pgstack --stack ${stack} logs, then npm start -- --stack ${stack}`;
    findings.push({
      name,
      status: healthy ? "ok" : "failed",
      message: `${container}: ${Status || State}`,
      mend,
    });
  }
  return findings;
}

/**
 * @param {string | undefined} endpoint
 * @returns {Promise<Map<string, {Names: string[], State: string, Status: string}[]> | undefined>}
 */
async function containersByStack(endpoint) {
  const filters = encodeURIComponent(JSON.stringify({ label: ["pgstack.stack"] }));
  const containers = await askEngine(endpoint, `/containers/json?all=1&filters=${filters}`).catch(
    () => undefined,
  );
  if (containers === undefined) return undefined;
  const byStack = new Map();
  for (const container of containers) {
    const stack = container.Labels["pgstack.stack"];
    byStack.set(stack, [...(byStack.get(stack) ?? []), container]);
  }
  return byStack;
}
