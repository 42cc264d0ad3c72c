import type { BackupEntry } from "../../agent/entry.ts";
import type { Inspection } from "../../agent/upgrade/inspect.ts";
import type { Method, UpgradeState } from "../../agent/upgrade/state.ts";
import { callAgent } from "../../operations/agent.ts";
import { audited } from "../../operations/audit.ts";
import { dockerEngine } from "../../operations/docker.ts";
import { resolveImage } from "../../operations/image.ts";
import type { Target } from "../../operations/target.ts";
import { UserError } from "../../operations/user-error.ts";
import { postgresUser } from "../../operations/volume-files.ts";
import { bringPostgresImage } from "../../toolchain/postgres-image.mjs";
import { ask } from "../ask.ts";
import { interruptionSignal } from "../interruption.ts";
import { note, printLine } from "../print.ts";
import { type StepProgress, withProgress } from "../progress.ts";
import { openStack, type Stack } from "../stack.ts";
import { goodRehearsal, type Rehearsal, rehearse } from "./rehearse.ts";
import { bringUp, findUpgradeStack, makeUpgradeStack } from "./stacks.ts";

/** What is wanted. */
export interface WantedUpgrade {
  readonly major: number;
  /** Empty: one is brought here. */
  readonly image: string;
  readonly method: Method;
}

interface Chosen extends WantedUpgrade {
  readonly imageId: string;
}

/** Rehearses an upgrade: nothing is changed. */
export async function rehearseUpgrade(name: string, wanted: WantedUpgrade): Promise<void> {
  const old = await openStack(name);
  const chosen = await chooseImage(old, wanted);
  await callAgent(old.target, "upgrade-check", { method: wanted.method });
  const found = await rehearseRecorded(old, chosen);
  printLine(
    `The rehearsal succeeded in ${found.seconds.toFixed(0)} s, there and back again, and the database was closed for ${found.downtimeSeconds.toFixed(1)} s of it.`,
  );
}

/** Does an upgrade, from wherever an earlier try was cut off. */
export async function upgrade(
  name: string,
  wanted: WantedUpgrade & { readonly into: string },
  yes: boolean,
): Promise<void> {
  const { into, method } = wanted;
  const signal = interruptionSignal();
  const old = await openStack(name);
  const chosen = await chooseImage(old, wanted);
  let fresh = (await findUpgradeStack(into, old.target)) ? await broughtUp(into) : undefined;
  const before = fresh && (await callAgent<UpgradeState | null>(fresh.target, "upgrade-state"));
  const rehearsal = before?.phase === "switched" ? undefined : await rehearsed(old, chosen);
  if (fresh === undefined) {
    await makeUpgradeStack(old, { ...chosen, into });
    fresh = await broughtUp(into);
  }
  const request = { old: { stack: name, port: old.target.port }, method };
  const { oldVersion, newVersion, notices } = await callAgent<Inspection>(
    fresh.target,
    "upgrade-inspect",
    request,
    { signal },
  );
  for (const notice of notices) note(`note: ${notice}`);
  const following = await withProgress((onStep) =>
    callAgent<UpgradeState>(fresh.target, "upgrade-follow", request, { onStep, signal }),
  );
  if (following.phase === "following" && !(yes || (await agreed(name, rehearsal, method)))) {
    await callAgent(fresh.target, "upgrade-undo");
    printLine(
      `Nothing was changed: stack ${name} is in use. pulumi destroy --stack ${into} removes the new one.`,
    );
    return;
  }
  const parameters: Record<string, unknown> = { into, method, from: oldVersion, to: newVersion };
  const { logsDirectory } = old;
  const { target } = fresh;
  const state = await audited({ logsDirectory, stack: name }, "upgrade", parameters, () =>
    withProgress(async (onStep) => {
      if (following.phase === "following") await backUp(old.target, "before upgrade", onStep, signal);
      const done = await callAgent<UpgradeState>(target, "upgrade-switch", {}, { onStep, signal });
      parameters.downtimeSeconds = done.downtimeSeconds;
      onStep("bringing roles and grants to what the stack declares");
      await bringUp(into);
      await backUp(target, "after upgrade", onStep, signal);
      return done;
    }),
  );
  printLine(`
Stack ${into} is in use, with PostgreSQL ${newVersion}; the database was closed for ${(state.downtimeSeconds ?? 0).toFixed(1)} s.
Stack ${name} is closed and follows it. Clients connect to the new stack: pgstack --stack ${into} connection-info
  back again, nothing lost    pgstack --stack ${name} upgrade --into ${into} --back
  it stays so                 pgstack --stack ${name} upgrade --into ${into} --confirm
Until then tables should not be altered: the old stack could not follow, and there would be no way back.`);
}

async function broughtUp(into: string): Promise<Stack> {
  await withProgress(async (onStep) => {
    onStep(`bringing up stack ${into}`);
    await bringUp(into);
  });
  return openStack(into);
}

/** A rehearsal that is good still, or a new one. */
async function rehearsed(old: Stack, chosen: Chosen): Promise<Rehearsal> {
  const { method, imageId } = chosen;
  await callAgent(old.target, "upgrade-check", { method });
  return (await goodRehearsal(old.target.stack, imageId, method)) ?? (await rehearseRecorded(old, chosen));
}

async function agreed(name: string, rehearsal: Rehearsal | undefined, method: Method): Promise<boolean> {
  const ready = method === "logical" ? "The new stack follows the old one. " : "";
  const seconds = rehearsal?.downtimeSeconds.toFixed(1);
  return ask(
    `${ready}Close the database of stack ${name} now and put the new one in use? In the rehearsal it was closed for ${seconds} s. [y/N] `,
  );
}

async function rehearseRecorded(old: Stack, chosen: Chosen): Promise<Rehearsal> {
  const { method, image, major } = chosen;
  const parameters: Record<string, unknown> = { method, image, major };
  const { logsDirectory, target } = old;
  return audited({ logsDirectory, stack: target.stack }, "upgrade.rehearse", parameters, () =>
    withProgress(async (onStep) => {
      const found = await rehearse(old, chosen, method, onStep);
      Object.assign(parameters, { seconds: found.seconds, downtimeSeconds: found.downtimeSeconds });
      return found;
    }),
  );
}

async function backUp(
  target: Target,
  label: string,
  onStep: StepProgress["onStep"],
  signal: AbortSignal,
): Promise<void> {
  const request = { kind: "incremental", label, waitSeconds: 3_600 };
  await callAgent<BackupEntry[]>(target, "backup", request, { onStep, signal });
}

/** The image to go to, on the Docker host, with everything checked that can be told from it alone. */
async function chooseImage(old: Stack, wanted: WantedUpgrade): Promise<Chosen> {
  const docker = dockerEngine(old.target.dockerHost);
  const reference = wanted.image === "" ? await bringImage(wanted.major) : wanted.image;
  const image = await resolveImage(docker, reference);
  if (image.major !== wanted.major) {
    throw new UserError(`--image ${reference} holds PostgreSQL ${image.major}, and --to is ${wanted.major}`);
  }
  if (!image.agent) {
    throw new UserError(
      `--image ${reference} does not say that it has pgBackRest and Node.js: images/postgres/Dockerfile makes one that has`,
    );
  }
  const before = await resolveImage(docker, old.image?.pinned ?? "", { askRegistry: false, pull: false });
  const [user, userBefore] = await Promise.all([
    postgresUser(docker, image.imageId),
    postgresUser(docker, before.imageId),
  ]);
  if (user !== userBefore) {
    throw new UserError(
      `--image ${reference} runs PostgreSQL as user ${user}, and the stack's image as user ${userBefore}: take two images of the same kind, both alpine or both Debian`,
    );
  }
  return { ...wanted, image: reference, imageId: image.imageId };
}

async function bringImage(major: number): Promise<string> {
  const { readRecord } = await import("../../toolchain/environment.mjs");
  const record = await readRecord();
  if (record === undefined) throw new UserError("--image must name an image: this checkout was never set up");
  return withProgress((onStep) => bringPostgresImage({ ...record, major, log: (line) => onStep(line) }));
}
