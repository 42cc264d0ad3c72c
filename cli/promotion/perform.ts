import { audited } from "../../operations/audit.ts";
import { backUpIncrementally } from "../../operations/backup-before.ts";
import { errorLine, UserError } from "../../operations/user-error.ts";
import { writeWhole } from "../../operations/write-whole.ts";
import { PROJECT_DIRECTORY } from "../../toolchain/directories.mjs";
import { withAdministrator } from "../administrator.ts";
import { settingsFile } from "../new-stack.ts";
import { note } from "../print.ts";
import { readStackWithCredentials, type Stack } from "../stack.ts";
import { pulumiUp } from "../up.ts";
import type { Row } from "./carried.ts";
import { requireHealthy, requireSameImage } from "./checks.ts";
import { type Journal, removeJournal, writeJournal } from "./journal.ts";

/** A promotion that was found to be possible. */
export interface Promotion {
  readonly from: string;
  readonly to: string;
  readonly source: Stack;
  readonly target: Stack;
  readonly commit: string;
  readonly rows: readonly Row[];
  /** Text of the target's settings before and after. */
  readonly settings: { readonly before: string; readonly after: string };
  /** Version of the target's schema before; absent: it is not touched. */
  readonly schemaVersion?: string;
}

/** Backs up, applies, migrates, checks; what fails puts the target back. @throws UserError with what failed. */
export async function perform(promotion: Promotion): Promise<void> {
  const { from, to, target, commit, rows } = promotion;
  const parameters: Record<string, unknown> = { from, to, commit, changes: rows };
  const context = { logsDirectory: target.logsDirectory, stack: to };
  await audited(context, "promotion.apply", parameters, async () => {
    if (target.backupSchedule !== undefined) {
      parameters["backup"] = (await backUpIncrementally(target.target, "before promotion"))?.id;
    }
    const journal: Journal = {
      ...{ from, commit, settings: promotion.settings.before },
      ...(promotion.schemaVersion === undefined ? {} : { schemaVersion: promotion.schemaVersion }),
    };
    await writeJournal(to, journal);
    try {
      await writeWhole(settingsFile(to), promotion.settings.after);
      const code = await pulumiUp(to);
      if (code !== 0) throw new UserError(`pulumi up of stack ${to} ended with ${code}`);
      await requireProven(promotion);
    } catch (error) {
      await putBack(to, journal);
      throw new UserError(`the promotion failed, and stack ${to} is as it was before: ${errorLine(error)}`, {
        cause: error,
      });
    }
    await removeJournal(to);
  });
}

/** Takes back what a promotion has begun: migrations by their way down, then the settings. */
export async function putBack(stack: string, journal: Journal): Promise<void> {
  note(`Putting stack ${stack} back.`);
  if (journal.schemaVersion !== undefined) await migrateDown(stack, journal.schemaVersion);
  await writeWhole(settingsFile(stack), journal.settings);
  const code = await pulumiUp(stack);
  if (code !== 0) {
    throw new UserError(
      `stack ${stack} could not be put back: its settings are as before, and pulumi up ended with ${code}. Mend what it says; pgstack promotions tells what was begun, and the next promote puts it back first`,
    );
  }
  await removeJournal(stack);
}

async function migrateDown(stack: string, version: string): Promise<void> {
  const { migrate, migrationStatus, versionOf } = await import("../../operations/migrations.ts");
  await withAdministrator(stack, "promote", async ({ client, users }) => {
    const { applied } = await migrationStatus(client, PROJECT_DIRECTORY);
    const past = applied.some(({ name }) => Number(versionOf(name)) > Number(version));
    if (past) await migrate(client, { project: PROJECT_DIRECTORY, direction: "down", to: version, users });
  }).catch((error: unknown) => {
    // A server that does not answer has not come as far as its schema; the up that follows tells what is wrong with it.
    note(`the schema could not be looked at: ${errorLine(error)}`);
  });
}

async function requireProven({ to, source }: Promotion): Promise<void> {
  const target = await readStackWithCredentials(to);
  await requireHealthy(to, target);
  requireSameImage(source, target);
}
