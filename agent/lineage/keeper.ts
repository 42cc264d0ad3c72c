import type { AgentConfiguration } from "../configuration.ts";
import type { Context } from "../context.ts";
import { withExclusive } from "../exclusive.ts";
import { messageOf, Refusal } from "../failure.ts";
import { readJournal } from "../restore/swap.ts";
import { lastTimeline } from "./chain.ts";
import { oweForGap } from "./gap.ts";
import { takeOwedBackup } from "./owed.ts";
import { reconcileLineage } from "./reconcile.ts";
import { mirrorLineage, readRecordedLineage } from "./record.ts";

const FIRST_RETRY_MILLISECONDS = 15_000;
const LONGEST_RETRY_MILLISECONDS = 3_600_000;
const GAPS_MILLISECONDS = 3_600_000;

/** Keeps the record of timelines true, and takes the full backup that a restore or a gap has left owed, with a back-off. */
export class TimelineKeeper {
  #reconciled = false;
  #next = 0;
  #failures = 0;
  #gapsAt = 0;

  /** To be called again and again while the server answers; what fails is tried again later. */
  async look(
    configuration: AgentConfiguration,
    context: Context,
    say: (text: string) => void,
  ): Promise<void> {
    if (performance.now() < this.#next) return;
    try {
      if (!this.#reconciled) await this.#reconcile(configuration, context, say);
      const recorded = await readRecordedLineage(configuration);
      if (recorded?.unmirrored !== undefined) await mirrorLineage(configuration, context);
      if (recorded !== undefined && recorded.owed === undefined && performance.now() >= this.#gapsAt) {
        this.#gapsAt = performance.now() + GAPS_MILLISECONDS;
        const lost = await oweForGap(configuration, context);
        if (lost !== undefined) say(`segment ${lost} is missing from the archive: a full backup is owed`);
      }
      if (recorded?.owed !== undefined && (await isIdle(configuration))) {
        const work = () => takeOwedBackup(configuration, context);
        const taken = await withExclusive(configuration, `the full backup owed by ${recorded.owed.by}`, work);
        if (taken !== undefined) say(`the full backup owed by ${recorded.owed.by} is taken: ${taken.id}`);
      }
      this.#failures = 0;
    } catch (error) {
      context.signal.throwIfAborted();
      this.#failures += 1;
      const pause = Math.min(
        FIRST_RETRY_MILLISECONDS * 2 ** (this.#failures - 1),
        LONGEST_RETRY_MILLISECONDS,
      );
      this.#next = performance.now() + pause;
      // Something else is at work: that is no failure.
      if (error instanceof Refusal && /at work since/.test(error.message)) this.#failures = 0;
      else say(`timelines: ${messageOf(error)}; the next try is in ${Math.round(pause / 1_000)} s`);
    }
  }

  async #reconcile(
    configuration: AgentConfiguration,
    context: Context,
    say: (text: string) => void,
  ): Promise<void> {
    // The record is the restore's to write until it has ended.
    if (!(await isIdle(configuration))) return;
    const before = await readRecordedLineage(configuration);
    const lineage = await withExclusive(configuration, "the record of timelines", () =>
      reconcileLineage(configuration, context),
    );
    if (before !== undefined && lastTimeline(before.chain) !== lastTimeline(lineage.chain)) {
      say(
        `the server is on timeline ${lastTimeline(lineage.chain)}, and timeline ${lastTimeline(before.chain)} was recorded`,
      );
    }
    this.#reconciled = true;
  }
}

async function isIdle(configuration: AgentConfiguration): Promise<boolean> {
  const journal = await readJournal(configuration);
  return journal === undefined;
}
