import { audited } from "../../operations/audit.ts";
import { backUpIncrementally } from "../../operations/backup-before.ts";
import type { Journal } from "../../operations/promotion/journal.ts";
import { UserError } from "../../operations/user-error.ts";
import { isLocked } from "../../toolchain/state-locks.mjs";
import { confirm } from "../ask.ts";
import { UsageError } from "../exit-codes.ts";
import { harmless, printLine } from "../print.ts";
import { openStack } from "../stack.ts";
import { endPromotion, openPromotion } from "./interrupted.ts";
import { putBack, whatPutBackDoes } from "./put-back.ts";
import type { SchemaSince, TableRows } from "./schema.ts";

/** Takes an interrupted promotion back, or ends it with everything as it is; the caller holds the stack's lock. */
export async function endInterrupted(
  from: string,
  to: string,
  { forget, yes }: { readonly forget: boolean; readonly yes: boolean },
): Promise<void> {
  const journal = await openPromotion(to);
  if (journal === undefined) return printLine(`No promotion to ${to} is interrupted. Nothing was changed.`);
  if (journal.from !== from) {
    throw new UsageError(`the promotion that was interrupted is from ${journal.from}: name that stack`);
  }
  // Its own `up` may live on after the promotion was killed.
  if (await isLocked(to)) {
    throw new UserError(
      `nothing was changed: a run of pulumi is at work on stack ${to}; wait until it has ended`,
    );
  }
  if (forget) {
    await confirm(`Leave stack ${to} as it is, and forget that the promotion was interrupted? [y/N] `, yes);
    await endPromotion(to, journal, "forgotten");
    printLine(
      `Stack ${to} is as it was left: npm start -- --stack ${to} brings it to what its settings say.`,
    );
  } else await takeBack(to, journal, yes);
}

async function takeBack(to: string, journal: Journal, yes: boolean): Promise<void> {
  const { from, commit } = journal;
  const { target, logsDirectory, backupSchedule } = await openStack(to);
  const since = await whatPutBackDoes(to, journal);
  printLine(
    `Pulumi.${to}.yaml goes back to what it was before the promotion from ${from}, and an up applies it.`,
  );
  for (const line of schemaLines(since)) printLine(harmless(line));
  await confirm(`Take the promotion from ${from} to ${to} back? [y/N] `, yes);
  const parameters: Record<string, unknown> = { from, to, commit };
  await audited({ logsDirectory, stack: to }, "promotion.put-back", parameters, async () => {
    if (backupSchedule !== undefined && since !== undefined) {
      parameters["backup"] = (await backUpIncrementally(target, "before put back"))?.id;
    }
    await putBack(to, journal, parameters);
  });
  printLine(`\nStack ${to} is as it was before the promotion from ${from}.`);
}

/** What happens to the schema, and what was written there since. */
function schemaLines(since: SchemaSince | undefined): string[] {
  if (since === undefined)
    return ["The server does not answer: its schema is looked at once it has its settings back."];
  const { migrations, made, written } = since;
  if (migrations.length === 0) return ["No migration is taken back."];
  return [
    `Migrations that are taken back: ${migrations.join(", ")}.`,
    ...made.map((one) => `Table ${one.table} is there since then, with ${rowsIn(one)}.`),
    ...written.map((one) => `Table ${one.table} was written to since then: ${rowsIn(one)}.`),
  ];
}

function rowsIn({ rows }: TableRows): string {
  return rows === undefined ? "rows that cannot be counted" : `${rows} ${rows === 1 ? "row" : "rows"}`;
}
