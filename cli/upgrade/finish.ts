import type { UpgradeState } from "../../agent/upgrade/state.ts";
import { callAgent } from "../../operations/agent.ts";
import { audited } from "../../operations/audit.ts";
import { UserError } from "../../operations/user-error.ts";
import { ask } from "../ask.ts";
import { interruptionSignal } from "../interruption.ts";
import { printLine } from "../print.ts";
import { withProgress } from "../progress.ts";
import { pulumi } from "../pulumi.ts";
import { openStack, type Stack } from "../stack.ts";
import { bringUp } from "./stacks.ts";

/** Puts the old stack in use again, with everything that was written to the new one. */
export async function goBackFromUpgrade(name: string, into: string, yes: boolean): Promise<void> {
  const [old, fresh] = await Promise.all([openStack(name), openStack(into)]);
  await requireUpgradeOf(name, fresh);
  const question = `Close the database of stack ${into} and put that of ${name} in use again? [y/N] `;
  if (!yes && !(await ask(question))) return printLine("Nothing was changed.");
  const signal = interruptionSignal();
  const { logsDirectory } = old;
  await audited({ logsDirectory, stack: name }, "upgrade.back", { from: into }, () =>
    withProgress(async (onStep) => {
      await callAgent<UpgradeState>(fresh.target, "upgrade-back", {}, { onStep, signal });
      onStep("bringing roles and grants to what the stack declares");
      await bringUp(name);
    }),
  );
  printLine(
    `Stack ${name} is in use again, with everything that was written to ${into}. pulumi destroy --stack ${into} removes the new one.`,
  );
}

/** Gives up the way back: the old stack can be destroyed. */
export async function confirmUpgrade(name: string, into: string, yes: boolean): Promise<void> {
  const [old, fresh] = await Promise.all([openStack(name), openStack(into)]);
  await requireUpgradeOf(name, fresh);
  const question = `Give up the way back to stack ${name}? Its data stays until it is destroyed, as it is now. [y/N] `;
  if (!yes && !(await ask(question))) return printLine("Nothing was changed.");
  const { logsDirectory } = old;
  await audited({ logsDirectory, stack: name }, "upgrade.confirm", { into }, () =>
    withProgress(async (onStep) => {
      onStep("ending the way back");
      await callAgent<UpgradeState>(fresh.target, "upgrade-confirm");
      await pulumi(into, "config", "rm", "pgstack:upgradeFrom");
      onStep("taking the link between the two servers away");
      await bringUp(into);
    }),
  );
  printLine(
    `Stack ${into} stands alone. Stack ${name} is closed: take its port for the new one if you like, and pulumi destroy --stack ${name} removes it.`,
  );
}

async function requireUpgradeOf(name: string, { target }: Stack): Promise<void> {
  const state = await callAgent<UpgradeState | null>(target, "upgrade-state");
  if (state?.old.stack === name) return;
  throw new UserError(`stack ${target.stack} is no upgrade of ${name}`);
}
