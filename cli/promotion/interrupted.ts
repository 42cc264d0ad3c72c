import { appendAudit } from "../../operations/audit.ts";
import { describeHolder } from "../../operations/lock/holder.ts";
import { stackLockHolder, withStackLock } from "../../operations/lock/stack.ts";
import {
  type Journal,
  outcomeOf,
  type PromotionRecord,
  readJournal,
  removeJournal,
} from "../../operations/promotion/journal.ts";
import { interrupted, interruptedLine } from "../../operations/promotion/words.ts";
import { PROJECT_DIRECTORY } from "../../toolchain/directories.mjs";
import { note } from "../print.ts";
import { pulumi } from "../pulumi.ts";
import { readStack } from "../stack.ts";

/** Says so where a promotion to a stack was interrupted; one that an `up` has completed since is ended. */
export async function announcePromotion(stack: string): Promise<void> {
  const found = await unfinishedPromotion(stack);
  if (found !== undefined) note(found.line);
}

/** The promotion to a stack that has not ended, and one line on it: it is at work, or was interrupted. */
export async function unfinishedPromotion(
  stack: string,
): Promise<{ readonly journal: Journal; readonly line: string } | undefined> {
  const journal = await readJournal(PROJECT_DIRECTORY, stack);
  if (journal === undefined) return undefined;
  const holder = await stackLockHolder(PROJECT_DIRECTORY, stack);
  if (holder !== undefined)
    return { journal, line: `stack ${stack} is being changed by ${describeHolder(holder)}` };
  const open = await openPromotion(stack).catch(() => journal);
  return open && { journal: open, line: interruptedLine(stack, open) };
}

/** The interrupted promotion to a stack that is neither completed nor taken back; undefined: there is none. */
export async function openPromotion(stack: string): Promise<Journal | undefined> {
  const journal = await readJournal(PROJECT_DIRECTORY, stack);
  if (journal === undefined) return undefined;
  if (outcomeOf(journal, { record: await deployedRecord(stack) }) !== "completed") return journal;
  return await withStackLock(PROJECT_DIRECTORY, stack, "the end of a promotion", async () => {
    await endPromotion(stack, journal, "completed");
    note(`${interrupted(stack, journal)}, and an up has completed it since`);
    return undefined;
  });
}

/** Ends the journal of an interrupted promotion, with everything as it is. */
export async function endPromotion(
  stack: string,
  { from, commit }: Journal,
  outcome: "completed" | "forgotten",
): Promise<void> {
  const { logsDirectory } = await readStack(stack);
  const parameters = { from, commit, outcome };
  await appendAudit(
    { logsDirectory, stack },
    { operation: "promotion.complete", parameters, result: "ok", durationMilliseconds: 0 },
  );
  await removeJournal(PROJECT_DIRECTORY, stack);
}

/** What the last `up` that succeeded was told of promotions: Pulumi keeps the outputs of no other. */
async function deployedRecord(stack: string): Promise<PromotionRecord | null> {
  const outputs: unknown = JSON.parse(await pulumi(stack, "stack", "output", "--json"));
  const { promotion = null } = (outputs ?? {}) as { readonly promotion?: PromotionRecord | null };
  return promotion;
}
