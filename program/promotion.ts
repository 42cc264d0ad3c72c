import { readFile } from "node:fs/promises";
import { join } from "node:path";
import * as pulumi from "@pulumi/pulumi";
import { appendAudit } from "../operations/audit.ts";
import { holdsStackLock, keepStackLock } from "../operations/lock/stack.ts";
import {
  isPromoting,
  outcomeOf,
  readJournal,
  removeJournal,
  writeJournal,
} from "../operations/promotion/journal.ts";
import { interruptedLine } from "../operations/promotion/words.ts";
import type { Settings } from "../settings/settings.ts";

type About = Pick<Settings, "stack" | "promotion" | "logsDirectory">;

/**
 * Holds the stack's lock through an `up`, so that none runs beside a promotion, and says so where a promotion was
 * interrupted.
 *
 * @throws UserError naming who is changing the stack.
 */
export async function beginChange({ stack, promotion }: About): Promise<void> {
  const project = process.cwd();
  const journal = await readJournal(project, stack);
  const preview = pulumi.runtime.isDryRun();
  if (!preview) await keepStackLock(project, stack, `a pulumi up of stack ${stack}`);
  if (journal === undefined) return;
  if (!preview) await writeJournal(project, stack, { ...journal, applying: true });
  if (isPromoting(journal)) return;
  const completes = outcomeOf(journal, { record: promotion ?? null }) === "completed";
  await pulumi.log.warn(interruptedLine(stack, journal, completes));
}

/** Ends the journal of a promotion that was interrupted, when an `up` with its settings has succeeded. */
export function completePromotion(about: About, healthy: pulumi.Output<unknown>): void {
  if (!pulumi.runtime.isDryRun()) healthy.apply(() => complete(about));
}

async function complete({ stack, promotion, logsDirectory }: About): Promise<void> {
  const project = process.cwd();
  const journal = await readJournal(project, stack);
  if (journal === undefined) return;
  // Its own promotion has more to prove before it ends, unless that was killed meanwhile.
  if (isPromoting(journal) && (await holdsStackLock(project, stack))) return;
  const settings = await readFile(join(project, `Pulumi.${stack}.yaml`), "utf8").catch(() => "");
  const outcome = outcomeOf(journal, { record: promotion ?? null, settings });
  if (outcome === "open") return;
  const { from, commit } = journal;
  await appendAudit(
    { logsDirectory, stack },
    {
      operation: "promotion.complete",
      parameters: { from, commit, outcome },
      result: "ok",
      durationMilliseconds: 0,
    },
  );
  await removeJournal(project, stack);
  await pulumi.log.info(`the interrupted promotion from ${from} to ${stack} is over: ${outcome} by this up`);
}
