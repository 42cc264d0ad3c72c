import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { removeFormerFiles } from "../../operations/backup-files.ts";
import { agentVolume } from "../../operations/derived-volumes.ts";
import { dockerEngine, findContainer } from "../../operations/docker.ts";
import { permitRebuild } from "../../operations/lost-state.ts";
import { readRunningSecrets, type StackVolumes } from "../../operations/running-secrets.ts";
import { UserError } from "../../operations/user-error.ts";
import { writeWhole } from "../../operations/write-whole.ts";
import { ensurePassphrase } from "../../toolchain/passphrase.mjs";
import { stateBackupsDirectory } from "../../toolchain/state-backups.mjs";
import { releaseDeadLocks } from "../../toolchain/state-locks.mjs";
import { confirm } from "../ask.ts";
import { settingsFile } from "../new-stack.ts";
import { note, printLine } from "../print.ts";
import { pulumi, setSecret } from "../pulumi.ts";
import { pulumiUp } from "../up.ts";
import { yaml } from "../yaml.ts";
import { auditedState } from "./audited.ts";
import { CONDITION_WORDS, type Condition, presentCondition, putAside, requireMovable } from "./present.ts";
import { opensSettings, provableSaved } from "./proof.ts";
import { type RebuiltSettings, rebuiltSettings } from "./rebuilt-settings.ts";

/** Makes a new state from what is on the Docker host: the data stays, passwords and certificates are made anew. */
export async function rebuildState(
  stack: string,
  { force, yes }: { readonly force: boolean; readonly yes: boolean },
): Promise<void> {
  await releaseDeadLocks(stack, process.env);
  const condition = await presentCondition(stack);
  if (condition === "whole") {
    throw new UserError(
      `the state of stack ${stack} can be read and knows its server: there is nothing to rebuild`,
    );
  }
  const saved = force ? undefined : await provableSaved(stack);
  if (saved !== undefined) {
    throw new UserError(
      `a saved state of ${saved.savedAt} can be read: pgstack --stack ${stack} state restore keeps passwords and certificates; --force rebuilds all the same`,
    );
  }
  const before = await readFile(settingsFile(stack), "utf8").catch(() => {
    throw new UserError(
      `Pulumi.${stack}.yaml is not there: take it from version control, a new state is made by it`,
    );
  });
  const unreadable = condition === "damaged" || condition === "locked";
  if (unreadable) requireMovable(stack);
  const locked = condition === "locked" || !(await opensSettings(stack, before));
  const volumes = volumesOf(stack, before);
  const running = await readRunningSecrets(stack, volumes);
  const settings = rebuiltSettings(before, running, locked);
  explain(stack, condition, settings);
  await confirm("Make a new state? [y/N] ", yes, "rebuild it");
  await auditedState(stack, "state.rebuild", { present: condition, removed: settings.removed }, async () => {
    const aside = join(
      stateBackupsDirectory(stack),
      `settings-${new Date().toISOString().replaceAll(/[-:.]/g, "")}.yaml`,
    );
    await writeWhole(aside, before);
    if (locked) await ensurePassphrase();
    // In this order a kill at any line leaves a state that still calls for a rebuild.
    await writeWhole(settingsFile(stack), settings.text, 0o644);
    if (unreadable) await putAside(stack);
    if (condition !== "empty") await pulumi(stack, "stack", "init");
    for (const [path, secret] of settings.secrets) await setSecret(stack, path, secret);
    const code = await pulumiUp(stack, permitRebuild(stack));
    if (code !== 0) {
      throw new UserError(
        `pulumi up failed (exit code ${code}), the data is untouched: mend what it says and run pgstack --stack ${stack} state rebuild again; the settings from before are in ${aside}`,
      );
    }
    await forgetFormerFiles(stack, before, volumes);
  });
  printLine(`
Stack ${stack} has a new state: the data is as it was. New for clients:
  passwords      pgstack --stack ${stack} connection-info --role ROLE --show-secrets
  authority      .pgstack/stacks/${stack}/ca.crt
Keep a copy of .pgstack/passphrase, and commit Pulumi.${stack}.yaml.`);
}

function volumesOf(stack: string, settings: string): StackVolumes {
  return {
    configuration: nameIn(settings, "configurationVolumeName") ?? `pgstack-${stack}-configuration`,
    agent: agentVolume(containerOf(stack, settings)),
  };
}

function containerOf(stack: string, settings: string): string {
  return nameIn(settings, "containerName") ?? `pgstack-${stack}`;
}

function nameIn(settings: string, setting: string): string | undefined {
  const given: unknown = yaml()
    .parseDocument(settings)
    .getIn(["config", `pgstack:${setting}`]);
  return typeof given === "string" ? given : undefined;
}

/** The lost state would have known that the server's volume still has what earlier versions put there. */
async function forgetFormerFiles(stack: string, settings: string, volumes: StackVolumes): Promise<void> {
  const docker = dockerEngine();
  const image = (await findContainer(docker, containerOf(stack, settings)))?.Image;
  if (image !== undefined) await removeFormerFiles(docker, { volume: volumes.configuration, image });
}

function explain(stack: string, condition: Condition, { removed, secrets }: RebuiltSettings): void {
  note(
    `The state of stack ${stack} is ${CONDITION_WORDS[condition]}. A new one takes over its volumes and networks:`,
  );
  note("  kept     the data, the backups, and what the settings say");
  note("  anew     the roles' passwords, the authority and the certificate, the containers (a restart)");
  if (secrets.length > 0)
    note(`  found    on the running system: ${secrets.map(([path]) => path).join(", ")}`);
  if (removed.length > 0) note(`  removed  from Pulumi.${stack}.yaml: ${removed.join(", ")}`);
}
