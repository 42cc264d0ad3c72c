import type { AgentConfiguration } from "../configuration.ts";
import type { Context } from "../context.ts";
import type { BackupEntry, BackupKind } from "../entry.ts";
import { messageOf, Refusal } from "../failure.ts";
import { withLimitedLogin } from "../limited-login.ts";
import { schemaFingerprint } from "../logical/schema-fingerprint.ts";
import { requireRoom, withRoom } from "../room.ts";
import { query } from "../sql.ts";
import { databaseFindings } from "../verification/findings.ts";
import { ANNOTATION, physicalEntries } from "./info.ts";
import { refuseLinks, removeWithLinks } from "./links.ts";
import { writtenFindings } from "./noted-findings.ts";
import { pgbackrest } from "./pgbackrest.ts";
import { flushQueue } from "./queue.ts";
import { removeWithSecrets } from "./secrets.ts";
import { prepareStanza } from "./stanza.ts";

/** A physical backup to be taken. */
export interface PhysicalRequest {
  readonly kind: Exclude<BackupKind, "logical">;
  readonly label?: string;
}

const FINGERPRINT_MILLISECONDS = 20_000;
const TYPES = { full: "full", differential: "diff", incremental: "incr" } as const;
const PROGRESS = /, (\d+(?:\.\d+)?)%\)/;

/**
 * Takes a backup into each repository. One that cannot be reached does not keep the others from having theirs; the
 * operation then fails at its end and says which.
 *
 * @returns The entries, one for each repository.
 */
export async function physicalBackup(
  configuration: AgentConfiguration,
  request: PhysicalRequest,
  context: Context,
): Promise<BackupEntry[]> {
  await refuseOnStandby(configuration);
  // One repository that cannot be reached fails below, by its name; the others have their backup all the same.
  let unready = "";
  await prepareStanza(configuration, context).catch((error: unknown) => {
    if (context.signal.aborted || configuration.physical.repositories.length === 1) throw error;
    unready = `; the repositories were not made ready: ${messageOf(error)}`;
  });
  const notes = await annotations(configuration, request, context);
  const labels = new Map<string, readonly string[]>();
  const failures: { readonly message: string; readonly refused: boolean }[] = [];
  for (const [index, repository] of configuration.physical.repositories.entries()) {
    context.step(`${request.kind} backup into repository ${repository}`, 0);
    try {
      const { label, damage } = await backupInto(configuration, index + 1, request, notes, context);
      labels.set(label, damage);
    } catch (error) {
      if (context.signal.aborted) throw error;
      const told = await withRoom(error, configuration);
      const message = `repository ${repository}: ${messageOf(told)}${unready}`;
      failures.push({ message, refused: told instanceof Refusal });
    }
  }
  if (failures.length > 0) {
    const done = labels.size === 0 ? "no backup was taken" : `taken: ${[...labels.keys()].join(", ")}`;
    const message = `${failures.map((failure) => failure.message).join("; ")} (${done})`;
    throw failures.every(({ refused }) => refused) ? new Refusal(message) : new Error(message);
  }
  const entries = await physicalEntries(configuration, context);
  return entries
    .filter(({ id }) => labels.has(id))
    .map((entry) => withDamage(entry, labels.get(entry.id) ?? []));
}

async function backupInto(
  configuration: AgentConfiguration,
  repository: number,
  { kind }: PhysicalRequest,
  notes: readonly string[],
  context: Context,
): Promise<{ label: string; damage: readonly string[] }> {
  // A backup is whole with its archive.
  if (configuration.physical.repositories[repository - 1] === "s3") await flushQueue(configuration, context);
  else await requireRoom(configuration, kind === "full" ? await clusterBytes(configuration, context) : 0);
  await refuseLinks(configuration);
  let label: string | undefined;
  const damage: string[] = [];
  let told = 0;
  await pgbackrest(configuration, "backup", {
    options: [
      `--type=${TYPES[kind]}`,
      `--repo=${repository}`,
      "--log-level-console=detail",
      // What goes is for the stack's own retention to say.
      "--no-expire-auto",
      ...notes,
    ],
    onLine: (line) => {
      label = /new backup label = (\S+)/.exec(line)?.[1] ?? label;
      const damaged = /WARN: (.*checksum.* in file .*)$/.exec(line)?.[1];
      if (damaged !== undefined) damage.push(damaged);
      const percent = Number(PROGRESS.exec(line)?.[1] ?? 0);
      if (percent < told + 5) return;
      told = percent;
      context.step(`${kind} backup`, percent / 100);
    },
    context,
  });
  if (label === undefined) throw new Error("pgBackRest did not name its backup");
  await removeWithLinks(configuration, { label, repository }, context);
  await removeWithSecrets(configuration, { label, repository }, context);
  return { label, damage };
}

async function clusterBytes(configuration: AgentConfiguration, context: Context): Promise<number> {
  const [size] = await query<{ bytes: number }>(
    configuration,
    "SELECT coalesce(sum(pg_database_size(oid)), 0)::float8 AS bytes FROM pg_database",
    context,
  );
  return size?.bytes ?? 0;
}

/** The files whose pages were found damaged while they were copied. */
function withDamage(entry: BackupEntry, damage: readonly string[]): BackupEntry {
  if (damage.length === 0) return entry;
  const message = damage.slice(0, 3).join("; ");
  return { ...entry, verification: { ...entry.verification, result: "failed", message } };
}

async function annotations(
  configuration: AgentConfiguration,
  { label }: PhysicalRequest,
  context: Context,
): Promise<string[]> {
  const [server] = await query<{ version: string; identifier: string; next: string }>(
    configuration,
    `SELECT current_setting('server_version') AS version, pg_snapshot_xmax(pg_current_snapshot())::text AS next,
            (SELECT system_identifier::text FROM pg_control_system()) AS identifier`,
    context,
  );
  const notes: Record<string, string | undefined> = {
    [ANNOTATION.label]: label,
    [ANNOTATION.serverVersion]: server?.version,
    [ANNOTATION.systemIdentifier]: server?.identifier,
    [ANNOTATION.findings]: await sourceFindings(configuration, context),
    [ANNOTATION.nextTransaction]: server?.next,
    [ANNOTATION.schemaFingerprint]: await sourceFingerprint(configuration, context),
  };
  return Object.entries(notes).flatMap(([name, value]) =>
    value === undefined ? [] : [`--annotation=${name}=${value}`],
  );
}

/** A physical backup needs no lock on any table: what one keeps from being read at once is left out. */
async function sourceFingerprint(
  configuration: AgentConfiguration,
  context: Context,
): Promise<string | undefined> {
  const signal = AbortSignal.any([context.signal, AbortSignal.timeout(FINGERPRINT_MILLISECONDS)]);
  try {
    return await schemaFingerprint(configuration, configuration.database, { signal }, { hasty: true });
  } catch (error) {
    context.signal.throwIfAborted();
    context.step(`the backup goes without a fingerprint of the schema: ${messageOf(error)}`);
    return undefined;
  }
}

/** What is odd in the database now, for reports: what cannot be had at once keeps no backup from being taken. */
async function sourceFindings(
  configuration: AgentConfiguration,
  context: Pick<Context, "signal">,
): Promise<string | undefined> {
  const { stack, database } = configuration;
  try {
    return await withLimitedLogin(configuration, { stack, databases: [database] }, context, async (login) =>
      writtenFindings(await databaseFindings(configuration, database, { hasty: true, login, context })),
    );
  } catch {
    context.signal.throwIfAborted();
    return undefined;
  }
}

async function refuseOnStandby(configuration: AgentConfiguration): Promise<void> {
  const [row] = await query<{ recovering: boolean }>(
    configuration,
    "SELECT pg_is_in_recovery() AS recovering",
  );
  if (row?.recovering === true)
    throw new Refusal("the server is in recovery: a backup is taken when it has ended");
}
