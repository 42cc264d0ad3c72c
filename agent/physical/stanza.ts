import type { AgentConfiguration } from "../configuration.ts";
import type { Context } from "../context.ts";
import { ProgramFailed } from "../program.ts";
import { pgbackrest } from "./pgbackrest.ts";

/** pgBackRest's word for a repository that holds another cluster's backups: error 28, backup-mismatch. */
const MISMATCH = 28;

/**
 * Makes the repositories ready for the cluster. Done again it changes nothing; after a restore from elsewhere, which has
 * another system identifier, the repositories go on with that.
 */
export async function prepareStanza(
  configuration: AgentConfiguration,
  context: Pick<Context, "signal">,
): Promise<void> {
  try {
    await pgbackrest(configuration, "stanza-create", { context });
  } catch (error) {
    if (!(error instanceof ProgramFailed) || error.exitCode !== MISMATCH) throw error;
    await pgbackrest(configuration, "stanza-upgrade", { context });
  }
}
