import { existsSync } from "node:fs";
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import type { RestorePoint } from "../agent/restore/window.ts";
import type { RecoveryTarget } from "../operations/restore.ts";
import { UserError } from "../operations/user-error.ts";
import { PROJECT_DIRECTORY } from "../toolchain/directories.mjs";
import { UsageError } from "./exit-codes.ts";
import { note, printLine } from "./print.ts";
import { pulumi, readBackupKey, type Stack, setSecret } from "./stack.ts";
import { pulumiUp } from "./up.ts";

/** What names or holds something of the old stack: the new one has its own. */
const NOT_TAKEN = new Set([
  ...["containerName", "networkName", "dataVolumeName", "configurationVolumeName", "adoptDataVolume"],
  ...["publish", "publishAddress", "publishPort", "backupVolumeName", "backupDirectory", "backupS3"],
  ...["restore", "allowRestoreUntil", "allowDestroy", "initSql", "rotations"],
]);

interface ConfigValue {
  readonly value?: string;
  readonly objectValue?: unknown;
  readonly secret: boolean;
}
type Config = Readonly<Record<string, ConfigValue>>;

/**
 * Brings up a new stack with the old one's settings and, in place of an empty database, its backups as of the target. The
 * old stack and its backups are only read.
 */
export async function restoreIntoNewStack(
  old: string,
  stack: Stack,
  wanted: RecoveryTarget,
  into: string,
): Promise<void> {
  if (!/^[a-z0-9][a-z0-9-]{0,39}$/.test(into)) {
    throw new UsageError(`${JSON.stringify(into)} is no stack's name: lower-case letters, digits and dashes`);
  }
  const file = join(PROJECT_DIRECTORY, `Pulumi.${into}.yaml`);
  if (existsSync(file)) throw new UsageError(`stack ${into} has settings already: name a new stack`);
  const config = JSON.parse(await pulumi(old, "config", "--json", "--show-secrets")) as Config;
  const target = await fixed(stack, wanted);
  const lines = Object.entries(config)
    .filter(([key, { secret }]) => !secret && !NOT_TAKEN.has(key.replace(/^pgstack:/, "")))
    .map(([key, { value, objectValue }]) => `  ${key}: ${JSON.stringify(objectValue ?? value)}`);
  const { plain, secrets } = sourceOf(old, config);
  const restore = { ...settingOf(target), from: plain };
  lines.push(`  pgstack:restore: ${JSON.stringify(restore)}`);
  await writeFile(file, `${["config:", ...lines].join("\n")}\n`, { flag: "wx" });
  note(`Pulumi.${into}.yaml is written: the settings of ${old}, and what is restored`);
  await pulumi(into, "stack", "init");
  for (const [path, secret] of [...Object.entries(secrets), ...(await encryption(old, config))]) {
    await setSecret(into, `restore.from.${path}`, secret);
  }
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
): { readonly plain: Record<string, unknown>; readonly secrets: Record<string, string> } {
  const value = (key: string): string | undefined => config[`pgstack:${key}`]?.value;
  const storage = config["pgstack:backupS3"]?.objectValue as Record<string, string> | undefined;
  if (storage !== undefined && String(storage["keepLocal"]) === "false") {
    const { key = "", secret = "", keepLocal: _, ...plain } = storage;
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
  if (wanted.type !== "latest") return wanted;
  const { callAgent } = await import("../operations/agent.ts");
  const { isWritable } = await import("../operations/restore/server.ts");
  if (!(await isWritable(target))) return wanted;
  const name = `clone-${new Date().toISOString().replaceAll(/[-:]|\.\d+/g, "")}`;
  const point = await callAgent<RestorePoint>(target, "restore-point", { name });
  return { type: "name", value: point.name };
}

function settingOf(target: RecoveryTarget): Record<string, unknown> {
  if (target.type === "latest") return { latest: true };
  return { [target.type]: target.type === "backup" ? target.id : target.value };
}
