import { rm } from "node:fs/promises";
import { join } from "node:path";
import type { AgentConfiguration } from "../configuration.ts";
import type { Context } from "../context.ts";
import type { BackupEntry } from "../entry.ts";
import { messageOf } from "../failure.ts";
import { prepareCluster } from "../restore/prepare.ts";
import type { Outcome } from "../verification/outcome.ts";
import { pgbackrest } from "./pgbackrest.ts";

/**
 * Has every file of a physical backup, and the archive, read and compared with its checksum.
 *
 * @returns What is wrong, a line each, with the file's name.
 */
export async function verifyPhysical(
  configuration: AgentConfiguration,
  entry: BackupEntry,
  context: Context,
): Promise<string[]> {
  const repository = configuration.physical.repositories.indexOf(entry.repositories[0] ?? "") + 1;
  const report = await pgbackrest(configuration, "verify", {
    options: [`--set=${entry.id}`, `--repo=${repository}`, "--output=text", "--verbose"],
    context,
  });
  return problemsOf(report);
}

/** Restores a physical backup into a throw-away cluster and checks it. */
export async function verifyPhysicalDeep(
  configuration: AgentConfiguration,
  entry: BackupEntry,
  context: Context,
): Promise<Outcome> {
  const directory = join(configuration.scratchDirectory, `verify-${entry.id}`);
  await rm(directory, { recursive: true, force: true });
  try {
    const target = { type: "backup", id: entry.id } as const;
    const { problems, warnings } = await prepareCluster(
      configuration,
      { directory, target, failedToo: true },
      context,
    );
    return { problems, warnings };
  } catch (error) {
    context.signal.throwIfAborted();
    return { problems: [messageOf(error)], warnings: [] };
  } finally {
    await rm(directory, { recursive: true, force: true });
  }
}

/** The bad lines of pgBackRest's report: https://pgbackrest.org/command.html#command-verify */
export function problemsOf(report: string): string[] {
  if (/^\s*status: ok\s*$/m.test(report) && !/status: (error|invalid)/.test(report)) return [];
  const lines = report
    .split("\n")
    .map((line) => line.trim())
    .filter(
      (line) =>
        /invalid|missing|checksum|error|size/i.test(line) && !/: 0\b/.test(line) && !/^status:/.test(line),
    );
  return lines.length === 0 ? ["the backup is not whole"] : lines.slice(0, 20);
}
