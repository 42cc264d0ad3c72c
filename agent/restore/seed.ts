import { existsSync } from "node:fs";
import { rename, rm } from "node:fs/promises";
import { dirname, join } from "node:path";
import type { AgentConfiguration } from "../configuration.ts";
import type { Context } from "../context.ts";
import { Refusal } from "../failure.ts";
import { syncPath } from "../files.ts";
import { firstLines } from "../verification/outcome.ts";
import { type PreparedCluster, prepareCluster } from "./prepare.ts";
import type { RecoveryTarget } from "./target.ts";

/** By this the stack that the backup is of knows its own cluster: the new one is not that. */
const PROOF = "pgstack.json";

/**
 * Makes the first cluster of a stack from a repository of another: recovered, checked, and ended with a timeline of its
 * own. It appears under its name only when it is whole.
 *
 * @param acceptance The operator takes it also where it fails verification.
 */
export async function seedCluster(
  configuration: AgentConfiguration,
  target: RecoveryTarget,
  acceptance: boolean,
  context: Context,
): Promise<PreparedCluster> {
  const { dataDirectory } = configuration;
  const root = dirname(dataDirectory);
  if (existsSync(dataDirectory)) throw new Refusal("the data volume holds a cluster already");
  const directory = join(root, "restore-seed");
  await rm(directory, { recursive: true, force: true });
  const prepared = await prepareCluster(configuration, { directory, target }, context);
  if (prepared.problems.length > 0 && !acceptance) {
    await rm(directory, { recursive: true, force: true });
    throw new Refusal(
      `what was restored failed verification: ${firstLines(prepared.problems)}; pgstack:restore.accept with a reason takes it all the same`,
    );
  }
  await rm(join(directory, PROOF), { force: true });
  await rename(directory, dataDirectory);
  await syncPath(root);
  return prepared;
}
