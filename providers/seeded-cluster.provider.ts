import { isDeepStrictEqual } from "node:util";
import { audited } from "../operations/audit.ts";
import { dockerEngine, findVolume } from "../operations/docker.ts";
import { hasDatabase, seedCluster } from "../operations/restore/seed.ts";
import { UserError } from "../operations/user-error.ts";
import { orAbandon } from "./first-provision.ts";
import { dynamicProvider } from "./provider.ts";
import type { SeededClusterInputs, SeededClusterResults } from "./seeded-cluster.ts";

/** Restores a stack's first cluster. */
export const provider = dynamicProvider<SeededClusterInputs, SeededClusterResults>({
  async create(inputs) {
    const { target, wanted, accept, source, logsDirectory, dataVolume, imageId } = inputs;
    const parameters: Record<string, unknown> = {
      ...{ wanted, from: source?.place ?? "object storage" },
      ...(accept === undefined ? {} : { accept }),
    };
    const first = { dataVolume, imageId, logsDirectory };
    const { source: _, ...options } = inputs;
    const results = await audited({ logsDirectory, stack: target.stack }, "restore.new", parameters, () =>
      orAbandon(target, first, async () => {
        const { backup, lsn, lastCommitAt, problems, warnings } = await seedCluster(
          target,
          wanted,
          source === null ? options : { ...options, source },
        );
        Object.assign(parameters, { backup, lsn, problems });
        for (const line of [...problems, ...warnings]) console.error(`warning: ${line}`);
        return { backup, lsn, lastCommitAt: lastCommitAt ?? "" };
      }),
    );
    return { id: `${dataVolume}/${results.backup}`, results };
  },
  async update(inputs, previous) {
    const { backup, lsn, lastCommitAt } = previous;
    if (!isDeepStrictEqual([inputs.wanted, inputs.source], [previous.wanted, previous.source])) {
      throw new UserError(hasDatabase(inputs.dataVolume));
    }
    return { backup, lsn, lastCommitAt };
  },
  // A first up that failed has taken the volume away: the next one restores it again, and never begins empty.
  async exists({ target, dataVolume }) {
    return (await findVolume(dockerEngine(target.dockerHost), dataVolume)) !== undefined;
  },
});
