import { audited } from "../../operations/audit.ts";
import { backUpIncrementally } from "../../operations/backup-before.ts";
import {
  hashOfSettings,
  type Journal,
  type JournalSchema,
  promoting,
  readJournal,
  removeJournal,
  writeJournal,
} from "../../operations/promotion/journal.ts";
import { errorLine, UserError } from "../../operations/user-error.ts";
import { writeWhole } from "../../operations/write-whole.ts";
import { PROJECT_DIRECTORY } from "../../toolchain/directories.mjs";
import { settingsFile } from "../new-stack.ts";
import { readStackWithCredentials, type Stack } from "../stack.ts";
import { pulumiUp } from "../up.ts";
import type { Row } from "./carried.ts";
import { requireHealthy, requireSameImage } from "./checks.ts";
import { putBack } from "./put-back.ts";

/** A promotion that was found to be possible. */
export interface Promotion {
  readonly from: string;
  readonly to: string;
  readonly source: Stack;
  readonly target: Stack;
  readonly commit: string;
  /** When it began, ISO 8601; its record in the settings says the same. */
  readonly at: string;
  readonly rows: readonly Row[];
  /** Text of the target's settings before and after. */
  readonly settings: { readonly before: string; readonly after: string };
  /** The target's schema before; absent: it is not touched. */
  readonly schema?: { readonly version: string } & JournalSchema;
}

/** Backs up, applies, migrates, checks; what fails puts the target back. @throws UserError with what failed. */
export async function perform(promotion: Promotion): Promise<void> {
  const { from, to, target, commit, at, rows, settings } = promotion;
  const parameters: Record<string, unknown> = { from, to, commit, changes: rows };
  const context = { logsDirectory: target.logsDirectory, stack: to };
  await audited(context, "promotion.apply", parameters, async () => {
    if (target.backupSchedule !== undefined) {
      parameters["backup"] = (await backUpIncrementally(target.target, "before promotion"))?.id;
    }
    const { version, ...schema } = promotion.schema ?? {};
    const journal: Journal = {
      ...{ from, commit, at, settings: settings.before, settingsWritten: hashOfSettings(settings.after) },
      ...(version === undefined ? {} : { schemaVersion: version, schema: schema as JournalSchema }),
    };
    await writeJournal(PROJECT_DIRECTORY, to, journal);
    try {
      await writeWhole(settingsFile(to), settings.after, 0o644);
      const code = await pulumiUp(to, promoting(journal));
      if (code !== 0) throw new UserError(`pulumi up of stack ${to} ended with ${code}`);
      await requireProven(promotion);
    } catch (error) {
      await putBackFailed(to, journal, error);
      throw new UserError(`the promotion failed, and stack ${to} is as it was before: ${errorLine(error)}`, {
        cause: error,
      });
    }
    await removeJournal(PROJECT_DIRECTORY, to);
  });
}

async function putBackFailed(to: string, journal: Journal, reason: unknown): Promise<void> {
  // The program of the `up` has noted in it whether it has begun.
  const noted = (await readJournal(PROJECT_DIRECTORY, to)) ?? journal;
  try {
    await putBack(to, noted);
  } catch (error) {
    throw new UserError(
      `the promotion failed (${errorLine(reason)}), and stack ${to} could not be put back: ${errorLine(error)}`,
      { cause: error },
    );
  }
}

async function requireProven({ to, source }: Promotion): Promise<void> {
  const target = await readStackWithCredentials(to);
  await requireHealthy(to, target);
  requireSameImage(source, target);
}
