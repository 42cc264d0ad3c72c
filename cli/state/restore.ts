import { resolve } from "node:path";
import { UserError } from "../../operations/user-error.ts";
import { saveState } from "../../toolchain/state-backups.mjs";
import { releaseDeadLocks } from "../../toolchain/state-locks.mjs";
import { confirm } from "../ask.ts";
import { UsageError } from "../exit-codes.ts";
import { note, printLine } from "../print.ts";
import { pulumi } from "../pulumi.ts";
import { auditedState } from "./audited.ts";
import { CONDITION_WORDS, type Condition, presentCondition, putAside } from "./present.ts";
import { proveReadable } from "./proof.ts";
import {
  countResources,
  describeSaved,
  findSaved,
  knowsServer,
  readSaved,
  resourcesIn,
  type SavedDeployment,
} from "./saved.ts";

interface RestoreOptions {
  readonly id?: string;
  readonly file?: string;
  readonly yes: boolean;
}

/** Brings a saved state of a stack back, after proving in another place that it can be read. */
export async function restoreState(stack: string, options: RestoreOptions): Promise<void> {
  await releaseDeadLocks(stack, process.env);
  const condition = await presentCondition(stack);
  // The way back.
  const present = condition === "damaged" ? undefined : await saveState(stack, process.env);
  const { path, from } = await chosen(stack, options, present?.id);
  const saved = await readSaved(path, stack);
  await proveReadable(stack, path);
  note(`present state: ${CONDITION_WORDS[condition]}${present ? `, saved as ${present.id}` : ""}`);
  note(`brought back:  ${from}, ${describe(saved)}`);
  await confirm("Bring this state back? Databases are not touched. [y/N] ", options.yes, "restore it");
  await auditedState(stack, "state.restore", { from, present: condition }, async () => {
    await importState(stack, path, condition);
  });
  printLine(`\nThe state of stack ${stack} is the one of ${from}. What differs from the live world:`);
  printLine(`  npm start -- --stack ${stack} --preview     and without --preview it is put right`);
}

/** The file to restore, and how messages name it. */
async function chosen(
  stack: string,
  { id, file }: RestoreOptions,
  present: string | undefined,
): Promise<{ readonly path: string; readonly from: string }> {
  if (id !== undefined && file !== undefined) throw new UsageError("an id or --file, not both");
  if (file !== undefined) return { path: resolve(file), from: file };
  if (id !== undefined) {
    const saved = await findSaved(stack, id);
    return { path: saved.path, from: saved.id };
  }
  const all = await describeSaved(stack);
  const others = all.filter((saved) => saved.id !== present);
  // A state that lost its server is saved as any other is, and newer than the one that is wanted back.
  const newest =
    others.findLast(({ server }) => server) ?? others.findLast(({ resources = 0 }) => resources > 0);
  if (newest !== undefined) return { path: newest.path, from: newest.id };
  if (all.some(({ id }) => id === present)) {
    throw new UserError(
      `no saved state of stack ${stack} is another than the present one, but empty or damaged ones: an id brings one back all the same (pgstack --stack ${stack} state list)`,
    );
  }
  throw new UserError(
    `no saved state of stack ${stack} is left: --file names one from elsewhere, and pgstack state rebuild makes a new one from the running server`,
  );
}

function describe(saved: SavedDeployment): string {
  return `${resourcesIn(countResources(saved))}${knowsServer(saved) ? "" : ", WITHOUT the server"}`;
}

async function importState(stack: string, path: string, condition: Condition): Promise<void> {
  if (condition === "damaged") note(`the damaged state is kept: ${await putAside(stack)}`);
  if (condition === "damaged" || condition === "gone") await pulumi(stack, "stack", "init");
  await pulumi(stack, "stack", "import", "--file", path);
  if ((await presentCondition(stack)) === "locked") {
    throw new UserError(
      `Pulumi.${stack}.yaml is of another passphrase than the state: take the line encryptionsalt from the commit of then`,
    );
  }
  await saveState(stack, process.env);
}
