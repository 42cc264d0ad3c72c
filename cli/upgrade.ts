import { Command, Option } from "commander";
import type { Method } from "../agent/upgrade/state.ts";
import { withStackLock } from "../operations/lock/stack.ts";
import { PROJECT_DIRECTORY } from "../toolchain/directories.mjs";
import { requireAnswer } from "./ask.ts";
import { UsageError } from "./exit-codes.ts";
import { stackName, taught, wholeNumber } from "./options.ts";

interface UpgradeOptions {
  readonly into?: string;
  readonly to: number;
  readonly image?: string;
  readonly method: Method;
  readonly rehearse: boolean;
  readonly back: boolean;
  readonly confirm: boolean;
  readonly yes: boolean;
}

/** `pgstack upgrade`. */
export function upgradeCommand(): Command {
  const command = new Command("upgrade")
    .description(
      "Bring the database into a new stack of a newer major version of PostgreSQL. The whole of it is rehearsed first with a clone made from the newest backup; the old stack follows the new one until the upgrade is confirmed, so that there is a way back without loss. (A newer minor version is a matter of pgstack:image.)",
    )
    .option("--into <stack>", "the new stack")
    .option("--to <major>", "major version to go to", wholeNumber(17, 99), 18)
    .option("--image <reference>", "image of that version", "")
    .addOption(
      new Option("--method <way>", "dump: closed while it is copied; logical: closed for seconds")
        .choices(["dump", "logical"])
        .default("dump"),
    )
    .option("--rehearse", "rehearse alone: nothing is changed", false)
    .option("--back", "put the old stack in use again, with all that was written since", false)
    .option("--confirm", "give up the way back", false)
    .option("-y, --yes", "do not ask", false)
    .action(async (options: UpgradeOptions) => {
      const name = stackName(command);
      if ([options.rehearse, options.back, options.confirm].filter(Boolean).length > 1) {
        throw new UsageError("give one of --rehearse, --back and --confirm");
      }
      await withStackLock(PROJECT_DIRECTORY, name, `an upgrade of stack ${name}`, () =>
        carryOut(name, options),
      );
    });
  return taught(command, [
    ["pgstack upgrade --rehearse", "how long it takes and whether it works; nothing is changed"],
    ["pgstack upgrade --into shop18", "rehearse, copy, compare, and put the new stack in use"],
    ["pgstack upgrade --into shop18 --method logical", "the same, closed for seconds only"],
    ["pgstack upgrade --into shop18 --back", "the old stack in use again, nothing lost"],
    ["pgstack upgrade --into shop18 --confirm", "it stays so: the old stack can be destroyed"],
  ]);
}

async function carryOut(name: string, options: UpgradeOptions): Promise<void> {
  const { confirmUpgrade, goBackFromUpgrade } = await import("./upgrade/finish.ts");
  const { rehearseUpgrade, upgrade } = await import("./upgrade/perform.ts");
  const { yes, method } = options;
  const wanted = { major: options.to, image: options.image ?? "", method };
  if (options.rehearse) return await rehearseUpgrade(name, wanted);
  const { into } = options;
  if (into === undefined) throw new UsageError("name the new stack: --into STACK");
  requireAnswer(yes, "go on");
  if (options.back) await goBackFromUpgrade(name, into, yes);
  else if (options.confirm) await confirmUpgrade(name, into, yes);
  else await upgrade(name, { ...wanted, into }, yes);
}
