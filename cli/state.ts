import { Command } from "commander";
import { withStackLock } from "../operations/lock/stack.ts";
import { PROJECT_DIRECTORY } from "../toolchain/directories.mjs";
import { jsonOption, stackName, taught } from "./options.ts";
import { note, printJson, printLine, table } from "./print.ts";

/** `pgstack state`. */
export function stateCommand(): Command {
  return new Command("state")
    .description(
      "Save and bring back what Pulumi knows of the stack, and change the passphrase of its secrets.",
    )
    .addCommand(listCommand())
    .addCommand(saveCommand())
    .addCommand(restoreCommand())
    .addCommand(rebuildCommand())
    .addCommand(rotatePassphraseCommand());
}

function listCommand(): Command {
  const command = new Command("list")
    .description("The saved states of the stack, oldest first: what each knows, and which command saved it.")
    .addOption(jsonOption())
    .action(async ({ json }: { readonly json: boolean }) => {
      const { describeSaved, resourcesIn } = await import("./state/saved.ts");
      const stack = stackName(command);
      const saved = await describeSaved(stack);
      if (json) return printJson({ saved });
      if (saved.length === 0) return printLine(`No state of stack ${stack} is saved yet.`);
      const rows = saved.map(({ id, savedAt, resources, server, savedBy = "" }) => [
        ...[id, savedAt, resources === undefined ? "damaged" : resourcesIn(resources)],
        ...[resources === undefined ? "" : server ? "knows the server" : "without the server", savedBy],
      ]);
      printLine(table(rows).trimEnd());
    });
  return taught(command, [
    ["pgstack --stack prod state list", "one is saved before and after each change"],
    ["pgstack state list --json", "for machines"],
  ]);
}

function saveCommand(): Command {
  const command = new Command("save").description("Save the state as it is now.").action(async () => {
    const { saveState } = await import("../toolchain/state-backups.mjs");
    const { NotProvisioned } = await import("./exit-codes.ts");
    const stack = stackName(command);
    const saved = await saveState(stack, process.env);
    if (saved === undefined) throw new NotProvisioned(`stack ${stack} has no state yet`);
    printLine(`Saved: ${saved.path}`);
  });
  return taught(command, [
    ["pgstack state save", "prints the file, to be kept somewhere else as well"],
    ["pgstack --stack prod state save", "of another stack"],
  ]);
}

function restoreCommand(): Command {
  const command = new Command("restore")
    .description("Bring a saved state back: one that is lost, damaged, or was changed by mistake.")
    .argument(
      "[id]",
      "a saved state, as state list names it, or its beginning; default: the newest other one that knows the server",
    )
    .option("--file <path>", "a file that state save, or pulumi stack export, has written")
    .option("-y, --yes", "do not ask", false)
    .action(async (id: string | undefined, options: { readonly file?: string; readonly yes: boolean }) => {
      const { restoreState } = await import("./state/restore.ts");
      const stack = stackName(command);
      await withStackLock(PROJECT_DIRECTORY, stack, `a restore of the state of stack ${stack}`, () =>
        restoreState(stack, { ...options, ...(id === undefined ? {} : { id }) }),
      );
    });
  return taught(command, [
    ["pgstack state restore", "the newest saved one that knows the server; the present one is saved first"],
    ["pgstack state restore 20260301T143000", "one of that time"],
  ]);
}

function rebuildCommand(): Command {
  const command = new Command("rebuild")
    .description("Make a new state from the running server, where state or passphrase are lost for good.")
    .option("--force", "also where a saved state could be restored", false)
    .option("-y, --yes", "do not ask", false)
    .action(async (options: { readonly force: boolean; readonly yes: boolean }) => {
      const { rebuildState } = await import("./state/rebuild.ts");
      const stack = stackName(command);
      await withStackLock(PROJECT_DIRECTORY, stack, `a new state of stack ${stack}`, () =>
        rebuildState(stack, options),
      );
    });
  return taught(command, [
    ["pgstack state rebuild", "the data stays; passwords and certificates are new"],
    ["pgstack state rebuild --force", "though a saved state could be restored"],
  ]);
}

function rotatePassphraseCommand(): Command {
  const command = new Command("rotate-passphrase")
    .description("Make a new passphrase, and encrypt the secrets of every stack of this checkout with it.")
    .action(async () => {
      const { rotatePassphrase } = await import("./state/rotate-passphrase.ts");
      const stacks = await rotatePassphrase(note);
      printLine(`
The passphrase in .pgstack/passphrase is new; it encrypts ${stacks.join(", ")}.
Keep a copy of it, and commit ${stacks.map((stack) => `Pulumi.${stack}.yaml`).join(", ")}.
States that were saved before still have the old one: who has both can read the passwords of then. pgstack rotate makes new ones.`);
    });
  return taught(command, [
    [
      "pgstack state rotate-passphrase",
      "the old one opens no stack any more; run again after a kill, it goes on",
    ],
    ["pgstack rotate application", "after a leak: who had the old one may know the passwords"],
  ]);
}
