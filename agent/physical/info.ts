import type { AgentConfiguration } from "../configuration.ts";
import type { Context } from "../context.ts";
import type { BackupEntry, BackupKind } from "../entry.ts";
import { Refusal } from "../failure.ts";
import { readFindings } from "./noted-findings.ts";
import { pgbackrest } from "./pgbackrest.ts";

/** What pgBackRest tells of one backup: https://pgbackrest.org/command.html#command-info */
interface InfoBackup {
  readonly label: string;
  readonly type: "full" | "diff" | "incr";
  readonly prior: string | null;
  readonly error: boolean | null;
  readonly timestamp: { readonly start: number; readonly stop: number };
  readonly lsn: { readonly start: string; readonly stop: string };
  readonly archive: { readonly start: string; readonly stop: string };
  readonly database: { readonly id: number; readonly "repo-key": number };
  readonly info: { readonly size: number; readonly repository: { readonly delta: number } };
  readonly annotation?: Readonly<Record<string, string>>;
  /** Links that were followed; told of one backup alone. */
  readonly link?: readonly { readonly name: string; readonly destination: string }[] | null;
}

interface InfoDatabase {
  readonly id: number;
  readonly "repo-key": number;
  readonly "system-id": number;
  readonly version: string;
}

interface InfoStanza {
  readonly backup: readonly InfoBackup[];
  readonly db: readonly InfoDatabase[];
  readonly archive: readonly {
    readonly id: string;
    readonly min: string | null;
    readonly max: string | null;
  }[];
  readonly repo: readonly {
    readonly key: number;
    readonly cipher: string;
    readonly status: { readonly code: number; readonly message: string };
  }[];
}

/** Notes that a backup carries in its repository, so that its entry can be made from there alone. */
export const ANNOTATION = {
  label: "label",
  serverVersion: "server-version",
  systemIdentifier: "system-identifier",
  schemaFingerprint: "schema-fingerprint",
  findings: "findings",
  nextTransaction: "next-transaction",
  logFrom: "log-from",
} as const;

/** A storage that is away is told of by pgBackRest itself after some tries. */
const LOOK_SECONDS = 120;

const KINDS: Readonly<Record<InfoBackup["type"], BackupKind>> = {
  full: "full",
  diff: "differential",
  incr: "incremental",
};

/**
 * The stanza as all repositories hold it; undefined where none holds one.
 *
 * @param only Number of the one repository to look at, and the one backup to tell everything of.
 */
export async function info(
  configuration: Pick<AgentConfiguration, "physical">,
  context: Pick<Context, "signal">,
  only: { readonly repository?: number | undefined; readonly label?: string } = {},
): Promise<InfoStanza | undefined> {
  const text = await pgbackrest(configuration, "info", {
    options: [
      "--output=json",
      ...(only.repository === undefined ? [] : [`--repo=${only.repository}`]),
      ...(only.label === undefined ? [] : [`--set=${only.label}`]),
    ],
    timeoutSeconds: LOOK_SECONDS,
    context,
  });
  // Its messages are put into the JSON with their line breaks.
  const [stanza] = JSON.parse(text.replaceAll(/\p{Cc}/gu, " ")) as InfoStanza[];
  return stanza;
}

/** Repositories that could not be looked into, with the reason. */
export interface UnreadableRepository {
  readonly repository: string;
  readonly message: string;
}

/** pgBackRest's status of a repository that it failed to read: https://pgbackrest.org/command.html#command-info */
const OTHER_ERROR = 99;

function unreadable(stanza: InfoStanza, repositories: readonly string[]): UnreadableRepository[] {
  return stanza.repo
    .filter(({ status }) => status.code === OTHER_ERROR)
    .map(({ key, status: { message } }) => ({
      repository: repositories[key - 1] ?? `repository ${key}`,
      message: explained(message),
    }));
}

/** With a wrong key it reads bytes that make no sense, and quotes them. */
function explained(message: string): string {
  return /^\[(Format|Crypto)Error\]/.test(message)
    ? "it cannot be read with the stack's encryption key"
    : message.slice(0, 500);
}

/** The physical backups, the oldest first. @throws Refusal when no repository can be read. */
export async function physicalEntries(
  configuration: Pick<AgentConfiguration, "physical">,
  context: Pick<Context, "signal">,
): Promise<BackupEntry[]> {
  const { entries, unreadable: problems, all } = await physicalBackups(configuration, context);
  if (problems.length > 0 && all) throw new Refusal(problems.map(describeUnreadable).join("; "));
  return entries;
}

/** Why a repository could not be looked into, in a sentence. */
export function describeUnreadable({ repository, message }: UnreadableRepository): string {
  return `repository ${repository}: ${message}`;
}

/** The physical backups, the oldest first, and the repositories that may hold more; `all`: none could be looked into. */
export async function physicalBackups(
  configuration: Pick<AgentConfiguration, "physical">,
  context: Pick<Context, "signal">,
): Promise<{
  readonly entries: BackupEntry[];
  readonly unreadable: readonly UnreadableRepository[];
  readonly all: boolean;
}> {
  const stanza = await info(configuration, context);
  if (stanza === undefined) return { entries: [], unreadable: [], all: false };
  const { repositories } = configuration.physical;
  const problems = unreadable(stanza, repositories);
  const entries = stanza.backup
    .map((backup) => entryOf(backup, stanza, repositories))
    .sort((one, other) => one.finishedAt.localeCompare(other.finishedAt));
  return { entries, unreadable: problems, all: problems.length === stanza.repo.length };
}

function entryOf(backup: InfoBackup, stanza: InfoStanza, repositories: readonly string[]): BackupEntry {
  const { annotation = {}, database } = backup;
  const key = database["repo-key"];
  const known = stanza.db.find((one) => one.id === database.id && one["repo-key"] === key);
  const finishedAt = time(backup.timestamp.stop);
  const label = annotation[ANNOTATION.label];
  const findings = readFindings(annotation[ANNOTATION.findings]);
  const schemaFingerprint = annotation[ANNOTATION.schemaFingerprint];
  const nextTransaction = annotation[ANNOTATION.nextTransaction];
  const logFrom = annotation[ANNOTATION.logFrom];
  return {
    id: backup.label,
    kind: KINDS[backup.type],
    ...(label === undefined ? {} : { label }),
    startedAt: time(backup.timestamp.start),
    finishedAt,
    bytes: backup.info.repository.delta,
    databaseBytes: backup.info.size,
    serverVersion: annotation[ANNOTATION.serverVersion] ?? known?.version ?? "unknown",
    // JSON's numbers lose the last digits of an identifier: the note has them.
    systemIdentifier: annotation[ANNOTATION.systemIdentifier] ?? "unknown",
    ...(schemaFingerprint === undefined ? {} : { schemaFingerprint }),
    ...(nextTransaction === undefined ? {} : { nextTransaction }),
    startLsn: backup.lsn.start,
    stopLsn: backup.lsn.stop,
    startWal: backup.archive.start,
    stopWal: backup.archive.stop,
    ...(known === undefined ? {} : { archiveId: `${known.version}-${known.id}` }),
    ...(logFrom === undefined ? {} : { logFrom }),
    ...(backup.prior === null ? {} : { prior: backup.prior }),
    repositories: [repositories[key - 1] ?? `repository ${key}`],
    ...(findings === undefined ? {} : { findings }),
    encrypted: stanza.repo.find((repo) => repo.key === key)?.cipher !== "none",
    verification: {
      form: "read back",
      at: finishedAt,
      // pgBackRest has checked every page's checksum while it copied.
      result: backup.error === true ? "failed" : "ok",
      ...(backup.error === true ? { message: "pages with wrong checksums: pgstack verify names them" } : {}),
    },
  };
}

function time(seconds: number): string {
  return new Date(seconds * 1_000).toISOString();
}
