import type { AgentConfiguration } from "../configuration.ts";
import type { Context } from "../context.ts";
import { type BackupEntry, entryKey } from "../entry.ts";
import { physicalEntries } from "./info.ts";
import { pgbackrest } from "./pgbackrest.ts";

/**
 * Removes backups, each from its own repository, with those that rest on them, and the part of the archive that no backup
 * needs then.
 */
export async function expirePhysical(
  configuration: AgentConfiguration,
  going: readonly BackupEntry[],
  context: Context,
): Promise<void> {
  for (const [index, repository] of configuration.physical.repositories.entries()) {
    for (const entry of going.filter(({ repositories }) => repositories.includes(repository))) {
      // It may have gone with what it rested on.
      const there = (await physicalEntries(configuration, context)).map(entryKey);
      if (!there.includes(entryKey(entry))) continue;
      context.step(`removing ${entry.id} from repository ${repository}`);
      await pgbackrest(configuration, "expire", {
        options: [`--set=${entry.id}`, `--repo=${index + 1}`],
        context,
      });
    }
  }
}
