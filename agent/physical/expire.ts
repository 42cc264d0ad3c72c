import type { AgentConfiguration } from "../configuration.ts";
import type { Context } from "../context.ts";
import { physicalEntries } from "./info.ts";
import { pgbackrest } from "./pgbackrest.ts";

/** Removes backups by their labels, with those that rest on them, and the part of the archive that no backup needs then. */
export async function expirePhysical(
  configuration: AgentConfiguration,
  labels: readonly string[],
  context: Context,
): Promise<void> {
  for (const [index, repository] of configuration.physical.repositories.entries()) {
    for (const label of labels) {
      const there = (await physicalEntries(configuration, context)).some(
        ({ id, repositories }) => id === label && repositories.includes(repository),
      );
      if (!there) continue;
      context.step(`removing ${label} from repository ${repository}`);
      await pgbackrest(configuration, "expire", {
        options: [`--set=${label}`, `--repo=${index + 1}`],
        context,
      });
    }
  }
}
