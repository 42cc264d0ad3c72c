import { asOf } from "./as-of.ts";
import { type BackupRequest, backup } from "./backup.ts";
import { drill } from "./drill.ts";
import type { BackupKind } from "./entry.ts";
import { holderOf, withExclusive } from "./exclusive.ts";
import { Refusal } from "./failure.ts";
import { replaceFolder, requireOwnFolder } from "./identity.ts";
import { takeOwedBackup } from "./lineage/owed.ts";
import { bringBackDatabase } from "./logical/bring-back.ts";
import { bringBackParts } from "./logical/bring-back-parts.ts";
import { planRestore } from "./logical/restore-plan.ts";
import { isPartial, readSelection } from "./logical/selection.ts";
import { readBackups, writeMetadata } from "./metadata.ts";
import type { Operation } from "./operation.ts";
import { requireOwnPlaces } from "./own-places.ts";
import { archiveState } from "./physical/archive.ts";
import { prune } from "./prune.ts";
import { RESTORE_OPERATIONS } from "./restore/operations.ts";
import { parseRepositoryTime } from "./restore/target.ts";
import { archiveNow, recoveryWindow, setRestorePoint } from "./restore/window.ts";
import { status } from "./status.ts";
import { lookAtProtection } from "./storage/look.ts";
import { purgeVersions } from "./storage/purge.ts";
import { recoveryPoint } from "./stream/recovery-point.ts";
import { UPGRADE_OPERATIONS } from "./upgrade/operations.ts";
import { verify } from "./verify.ts";

/** Everything that the agent can be asked for, by name. */
export const OPERATIONS: ReadonlyMap<string, Operation> = new Map<string, Operation>([
  [
    "backup",
    exclusive("a backup", (configuration, parameters, context) =>
      backup(configuration, backupRequest(parameters), context),
    ),
  ],
  [
    "backup-owed",
    exclusive("the full backup that is owed", async (configuration, { takenToo }, context) => {
      return (await takeOwedBackup(configuration, context, { takenToo: takenToo === true })) ?? null;
    }),
  ],
  [
    "replace-folder",
    exclusive("a change of the backup folder", async (configuration, { replaces }) => {
      await replaceFolder(configuration, String(replaces));
      return null;
    }),
  ],
  ["holder", async (configuration) => (await holderOf(configuration)) ?? null],
  [
    "list",
    (configuration, { repositoryTime: given }, context) => {
      const { repositoryTime } = parseRepositoryTime(given);
      return readBackups(asOf(configuration, repositoryTime), context);
    },
  ],
  [
    "rebuild",
    exclusive("a rebuild of metadata.json", (configuration, _, context) =>
      writeMetadata(configuration, context),
    ),
  ],
  [
    "verify",
    exclusive("a verification", (configuration, { id, all, deep }, context) =>
      verify(
        configuration,
        { ...(typeof id === "string" ? { id } : {}), all: all === true, deep: deep === true },
        context,
      ),
    ),
  ],
  [
    "prune",
    exclusive("retention", (configuration, { dryRun }, context) =>
      prune(configuration, { dryRun: dryRun === true }, context),
    ),
  ],
  ["drill", exclusive("a restore drill", (configuration, _, context) => drill(configuration, context))],
  [
    "restore-dump",
    exclusive("the restore of a dump", (configuration, parameters, context) => {
      const selection = readSelection(parameters);
      const [id, acceptLosses] = [String(parameters["id"]), parameters["acceptLosses"] === true];
      const acceptance = parameters["accept"] === true;
      return isPartial(selection)
        ? bringBackParts(configuration, id, { selection, acceptLosses, acceptance }, context)
        : bringBackDatabase(configuration, id, { acceptLosses, acceptance }, context);
    }),
  ],
  [
    "restore-dump-plan",
    (configuration, parameters, context) =>
      planRestore(configuration, String(parameters["id"]), readSelection(parameters), context),
  ],
  ["recovery-point", (configuration, _, context) => recoveryPoint(configuration, context)],
  ["archive", (configuration, _, context) => archiveState(configuration, context)],
  [
    "window",
    async (configuration, _, context) =>
      recoveryWindow(configuration, (await readBackups(configuration, context)).entries, context),
  ],
  [
    "restore-point",
    (configuration, { name }, context) => {
      if (typeof name !== "string" || !/^[\w.-]{1,63}$/.test(name)) {
        throw new Refusal(
          `${JSON.stringify(name)} is no restore point's name: letters, digits, ".", "_" and "-"`,
        );
      }
      return setRestorePoint(configuration, name, context);
    },
  ],
  [
    "archive-now",
    async (configuration, _, context) => {
      await archiveNow(configuration, context);
      return null;
    },
  ],
  ["require-own-places", (configuration, _, context) => requireOwnPlaces(configuration, context)],
  [
    "storage-protection",
    async (configuration, _, context) => {
      await requireOwnFolder(configuration);
      return (await lookAtProtection(configuration, context)) ?? null;
    },
  ],
  [
    "purge-versions",
    (configuration, { days, before, keysFile }, context) =>
      purgeVersions(
        configuration,
        {
          ...{ days: Number(days), keysFile: String(keysFile) },
          ...(typeof before === "string" ? { before } : {}),
        },
        context,
      ),
  ],
  ["status", (configuration, _, context) => status(configuration, context)],
  ...RESTORE_OPERATIONS,
  ...UPGRADE_OPERATIONS,
]);

/** Seconds that an operation by hand waits for one that is at work. */
const WAIT_SECONDS = 5;

function exclusive(purpose: string, operation: Operation): Operation {
  return (configuration, parameters, context) => {
    const work = () => operation(configuration, parameters, context);
    const waitSeconds =
      typeof parameters["waitSeconds"] === "number" ? parameters["waitSeconds"] : WAIT_SECONDS;
    return withExclusive(configuration, purpose, work, {
      waitSeconds,
      onWait: (holder) => context.step(`waiting: ${holder}`),
      signal: context.signal,
    });
  };
}

const KINDS: readonly BackupKind[] = ["logical", "full", "differential", "incremental"];

function backupRequest({ kind, label }: Readonly<Record<string, unknown>>): BackupRequest {
  const known = KINDS.find((one) => one === kind);
  if (known === undefined)
    throw new Refusal(`${JSON.stringify(kind)} is no kind of backup: ${KINDS.join(", ")}`);
  if (label === undefined) return { kind: known };
  if (typeof label !== "string" || !/^[\w. -]{1,60}$/.test(label)) {
    throw new Refusal(
      `${JSON.stringify(label)} is no label: at most 60 letters, digits, blanks, ".", "_" and "-"`,
    );
  }
  return { kind: known, label };
}
