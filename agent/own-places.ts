import type { AgentConfiguration } from "./configuration.ts";
import type { Context } from "./context.ts";
import { Refusal } from "./failure.ts";
import { type FolderIdentity, requireOwnFolder } from "./identity.ts";
import { recordInRepository } from "./lineage/record.ts";
import { STORAGE_REPOSITORY } from "./storage/access.ts";
import { requireProtection } from "./storage/look.ts";

/**
 * Makes sure that the backup folder and each repository are the stack's own, before anything is written to them: making
 * pgBackRest's stanza ready for another cluster would cut the one off that it belongs to. A storage that is away is not asked.
 *
 * @returns The folder's identity.
 * @throws Refusal that names the stack whose it is, and the setting.
 */
export async function requireOwnPlaces(
  configuration: AgentConfiguration,
  context: Pick<Context, "signal">,
): Promise<FolderIdentity> {
  const identity = await requireOwnFolder(configuration);
  for (const repository of configuration.physical.repositories) {
    const { stack } = (await recordInRepository(configuration, repository, context)) ?? {};
    // One that is in use goes on: that its bucket has changed since is for health to tell.
    if (stack === undefined && repository === STORAGE_REPOSITORY)
      await requireProtection(configuration, context);
    if (stack !== undefined && stack !== configuration.stack) {
      throw new Refusal(
        `repository ${repository} is that of stack ${stack}: set pgstack:backupS3 to another bucket or path, or pgstack:backupDirectory to another folder`,
      );
    }
  }
  return identity;
}
