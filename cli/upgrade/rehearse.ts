import { createHash } from "node:crypto";
import { existsSync } from "node:fs";
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { derivedName } from "../../agent/derived-name.ts";
import type { Method, UpgradeState } from "../../agent/upgrade/state.ts";
import { callAgent } from "../../operations/agent.ts";
import { UserError } from "../../operations/user-error.ts";
import { writeWhole } from "../../operations/write-whole.ts";
import { STATE_DIRECTORY } from "../../toolchain/directories.mjs";
import { interruptionSignal } from "../interruption.ts";
import { LONGEST_NEW_NAME, readConfig, settingsFile } from "../new-stack.ts";
import { restoreIntoNewStack } from "../restore-into.ts";
import { openStack, type Stack } from "../stack.ts";
import { runPulumiQuietly } from "../up.ts";
import { bringUp, type Destination, makeUpgradeStack, takeDown } from "./stacks.ts";

/** What a rehearsal has proven. */
export interface Rehearsal {
  readonly at: string;
  readonly imageId: string;
  readonly method: Method;
  /** Seconds in which neither database was open. */
  readonly downtimeSeconds: number;
  /** Seconds that everything took. */
  readonly seconds: number;
}

/** A rehearsal is good for as long as a proven backup is. */
const GOOD_FOR_MILLISECONDS = 24 * 3_600_000;

/** Label with the stack that a rehearsal is of. */
const MARK = "rehearsal-of";

/** Settings by which a stack that is there for a rehearsal alone goes without questions. */
const PASSING = { environment: "development", allowDestroy: true, protectVolumes: false };

/**
 * Does the whole upgrade, there and back again, with a clone that is made from the newest backup, and removes both stacks:
 * the old stack is only read.
 */
export async function rehearse(
  old: Stack,
  destination: Omit<Destination, "into"> & { readonly imageId: string },
  method: Method,
  onStep: (text: string, fraction?: number) => void,
): Promise<Rehearsal> {
  const signal = interruptionSignal();
  const started = performance.now();
  const [clone, cloneNew] = rehearsalStacks(old.target.stack);
  const changes = { ...PASSING, labels: { [MARK]: old.target.stack } };
  // What a rehearsal that was killed has left.
  for (const name of [cloneNew, clone]) await removeLeftOver(name, old.target.stack);
  try {
    onStep("rehearsal: restoring the newest backup into a clone");
    await restoreIntoNewStack(old.target.stack, old, { type: "latest" }, clone, { changes, quiet: true });
    signal.throwIfAborted();
    onStep("rehearsal: bringing up the new server");
    await makeUpgradeStack(await openStack(clone), { ...destination, into: cloneNew }, changes);
    await bringUp(cloneNew);
    signal.throwIfAborted();
    const { target } = await openStack(cloneNew);
    const call = {
      signal,
      onStep: (text: string, fraction?: number) => onStep(`rehearsal: ${text}`, fraction),
    };
    const oldStack = { stack: clone, port: old.target.port };
    await callAgent(target, "upgrade-follow", { old: oldStack, method }, call);
    const { downtimeSeconds = 0 } = await callAgent<UpgradeState>(target, "upgrade-switch", {}, call);
    await callAgent(target, "upgrade-back", {}, call);
    const rehearsal: Rehearsal = {
      ...{ at: new Date().toISOString(), imageId: destination.imageId, method, downtimeSeconds },
      seconds: (performance.now() - started) / 1_000,
    };
    await writeRehearsal(old.target.stack, rehearsal);
    return rehearsal;
  } finally {
    onStep("rehearsal: removing the clone and the new server");
    for (const name of [cloneNew, clone]) await takeDown(name);
  }
}

/** The last rehearsal, when it was one of this image and way and is not too old. */
export async function goodRehearsal(
  stack: string,
  imageId: string,
  method: Method,
): Promise<Rehearsal | undefined> {
  const text = await readFile(rehearsalFile(stack), "utf8").catch(() => undefined);
  const found = text === undefined ? undefined : (JSON.parse(text) as Rehearsal);
  const fits = found?.imageId === imageId && found.method === method;
  return fits && Date.now() - Date.parse(found.at) < GOOD_FOR_MILLISECONDS ? found : undefined;
}

/** Names of the stacks that a rehearsal makes; the rehearsal of another stack has other ones. */
export function rehearsalStacks(stack: string): [clone: string, cloneNew: string] {
  const plain = stack.toLowerCase().replaceAll(/[^a-z0-9-]/g, "-");
  const hash = createHash("sha256").update(stack).digest("hex").slice(0, 8);
  const base = plain === stack ? stack : `${plain}-${hash}`;
  return [
    derivedName(base, "-rehearsal", LONGEST_NEW_NAME),
    derivedName(base, "-rehearsal-new", LONGEST_NEW_NAME),
  ];
}

async function removeLeftOver(name: string, of: string): Promise<void> {
  if (!existsSync(settingsFile(name))) return;
  const labels = (await readConfig(name))["pgstack:labels"];
  const given: unknown = labels?.objectValue ?? JSON.parse(labels?.value ?? "{}");
  if (!isRehearsalOf(given, of)) {
    throw new UserError(`stack ${name} is there and no rehearsal of ${of}: rename or remove it`);
  }
  await runPulumiQuietly(name, ["cancel", "--yes"]).catch(() => {});
  await takeDown(name);
}

function isRehearsalOf(labels: unknown, stack: string): boolean {
  return (
    typeof labels === "object" &&
    labels !== null &&
    Object.entries(labels).some(([name, value]) => name === MARK && value === stack)
  );
}

async function writeRehearsal(stack: string, rehearsal: Rehearsal): Promise<void> {
  await writeWhole(rehearsalFile(stack), `${JSON.stringify(rehearsal, undefined, 2)}\n`);
}

function rehearsalFile(stack: string): string {
  return join(STATE_DIRECTORY, "stacks", stack, "upgrade-rehearsal.json");
}
