import type { RestorePoint } from "../agent/restore/window.ts";
import type { RecoveryTarget } from "../operations/restore.ts";
import { UserError } from "../operations/user-error.ts";
import { type Config, makeStackAfter, readConfig, requireNewName } from "./new-stack.ts";
import { printLine } from "./print.ts";
import { readBackupKey, type Stack } from "./stack.ts";
import { pulumiUp, runPulumiQuietly, WITHOUT_POLICIES } from "./up.ts";

/** How {@link restoreIntoNewStack} goes. */
export interface NewStackOptions {
  /** Settings that the new stack has instead of the old one's. */
  readonly changes?: Readonly<Record<string, unknown>>;
  /** Why what fails verification is taken; absent: it is refused. */
  readonly accept?: string | undefined;
  /** Show what Pulumi says only where it fails. */
  readonly quiet?: boolean;
}

/**
 * Brings up a new stack with the old one's settings and, in place of an empty database, its backups as of the target. The
 * old stack and its backups are only read.
 */
export async function restoreIntoNewStack(
  old: string,
  stack: Stack,
  wanted: RecoveryTarget,
  into: string,
  { changes = {}, accept, quiet = false }: NewStackOptions = {},
): Promise<void> {
  requireNewName(into);
  const config = await readConfig(old);
  const target = await fixed(stack, wanted);
  const { plain, secrets } = sourceOf(old, config, target);
  await makeStackAfter(old, config, into, {
    plain: {
      ...changes,
      restore: { ...settingOf(target), ...(accept === undefined ? {} : { accept }), from: plain },
    },
    secrets: [...Object.entries(secrets), ...(await encryption(old, config))].map(([path, secret]) => [
      `restore.from.${path}`,
      secret,
    ]),
  });
  if (quiet) return await runPulumiQuietly(into, ["up", "--yes", "--skip-preview"], WITHOUT_POLICIES);
  const exitCode = await pulumiUp(into);
  if (exitCode !== 0) {
    throw new UserError(
      `pulumi up of stack ${into} failed (exit code ${exitCode}); ${old} is as it was. Mend what it says and run npm start -- --stack ${into}, or give it up: pulumi destroy --stack ${into}, pulumi stack rm ${into}`,
    );
  }
  printLine(
    `\nStack ${into} has the database of ${old}. Take pgstack:restore out of Pulumi.${into}.yaml when you like.`,
  );
}

/** Where the old stack's backups are; secret parts by their path. */
function sourceOf(
  old: string,
  config: Config,
  { repositoryTime }: RecoveryTarget,
): { readonly plain: Record<string, unknown>; readonly secrets: Record<string, string> } {
  const value = (key: string): string | undefined => config[`pgstack:${key}`]?.value;
  const storage = config["pgstack:backupS3"]?.objectValue as Record<string, string> | undefined;
  if (repositoryTime !== undefined && storage === undefined)
    throw new UserError(`stack ${old} has no object storage, and nothing else keeps what was deleted`);
  if (storage !== undefined && (repositoryTime !== undefined || String(storage["keepLocal"]) === "false")) {
    const { key = "", secret = "", keepLocal: _, protection: __, ...plain } = storage;
    return { plain: { s3: plain }, secrets: { "s3.key": key, "s3.secret": secret } };
  }
  const directory = value("backupDirectory");
  if (directory !== undefined) return { plain: { directory }, secrets: {} };
  return { plain: { volume: value("backupVolumeName") ?? `pgstack-${old}-backups` }, secrets: {} };
}

async function encryption(old: string, config: Config): Promise<[string, string][]> {
  if (config["pgstack:backupEncryption"]?.value !== "true") return [];
  return [["encryptionKey", await readBackupKey(old)]];
}

/** The newest state is given a name in the archive, so that recovery can be proven to have reached it. */
async function fixed({ target }: Stack, wanted: RecoveryTarget): Promise<RecoveryTarget> {
  if (wanted.type !== "latest" || wanted.repositoryTime !== undefined) return wanted;
  const { callAgent } = await import("../operations/agent.ts");
  const { isWritable } = await import("../operations/restore/server.ts");
  if (!(await isWritable(target))) return wanted;
  const name = `clone-${new Date().toISOString().replaceAll(/[-:]|\.\d+/g, "")}`;
  const point = await callAgent<RestorePoint>(target, "restore-point", { name });
  return { type: "name", value: point.name };
}

function settingOf(target: RecoveryTarget): Record<string, unknown> {
  const { repositoryTime } = target;
  const then = repositoryTime === undefined ? {} : { repositoryTime };
  if (target.type === "latest") return { latest: true, ...then };
  return { [target.type]: target.type === "backup" ? target.id : target.value, ...then };
}
