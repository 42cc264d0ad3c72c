import { setTimeout as delay } from "node:timers/promises";
import type { AgentConfiguration } from "../configuration.ts";
import type { Context } from "../context.ts";
import { ProgramFailed } from "../program.ts";
import { pgbackrest } from "./pgbackrest.ts";

/** pgBackRest's word for a repository that holds another cluster's backups: error 28, backup-mismatch. */
const MISMATCH = 28;
/** Another process is at it, as the agent's own start and a backup by hand: error 50, lock-acquire. */
const LOCKED = 50;
const LOCKED_MILLISECONDS = 30_000;
const AGAIN_MILLISECONDS = 250;

/**
 * Makes the repositories ready for the cluster. Done again it changes nothing; after a restore from elsewhere, which has
 * another system identifier, the repositories go on with that.
 */
export async function prepareStanza(
  configuration: AgentConfiguration,
  context: Pick<Context, "signal">,
): Promise<void> {
  const deadline = performance.now() + LOCKED_MILLISECONDS;
  for (let command = "stanza-create"; ; ) {
    try {
      await pgbackrest(configuration, command, { context });
      return;
    } catch (error) {
      const code = error instanceof ProgramFailed ? error.exitCode : undefined;
      if (code === MISMATCH && command === "stanza-create") command = "stanza-upgrade";
      else if (code !== LOCKED || performance.now() > deadline) throw error;
      else await delay(AGAIN_MILLISECONDS, undefined, { signal: context.signal });
    }
  }
}
