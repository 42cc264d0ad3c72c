import type { BackupEntry } from "../agent/entry.ts";
import { audited } from "../operations/audit.ts";
import { backUpBefore } from "../operations/backup-before.ts";
import type { BackupInputs, BackupResults } from "./backup.ts";
import { dynamicProvider } from "./provider.ts";

/** Takes a backup when what asks for one changes; backups stay when the resource goes. */
export const provider = dynamicProvider<BackupInputs, BackupResults>({
  async create(inputs) {
    const results = await backUp(inputs);
    return { id: `${inputs.target.container}/backups`, results };
  },
  async update(inputs, previous) {
    if (inputs.trigger !== previous.trigger) return backUp(inputs);
    const { backupId, kind, finishedAt, bytes, checksum, serverVersion, schemaFingerprint } = previous;
    const { verification } = previous;
    return { backupId, kind, finishedAt, bytes, checksum, serverVersion, schemaFingerprint, verification };
  },
});

async function backUp({ target, label, requireProof, logsDirectory }: BackupInputs): Promise<BackupResults> {
  const parameters: Record<string, unknown> = {};
  const context = { logsDirectory, stack: target.stack };
  return audited(context, "backup.before-change", parameters, async () => {
    const entry = await backUpBefore(target, { label, requireProof });
    parameters["backup"] = entry?.id ?? "none: there is nothing yet";
    return resultsOf(entry);
  });
}

function resultsOf(entry: BackupEntry | undefined): BackupResults {
  return {
    backupId: entry?.id ?? "",
    kind: entry?.kind ?? "",
    finishedAt: entry?.finishedAt ?? "",
    bytes: entry?.bytes ?? 0,
    checksum: entry?.checksum ?? "",
    serverVersion: entry?.serverVersion ?? "",
    schemaFingerprint: entry?.schemaFingerprint ?? "",
    verification: entry === undefined ? "" : `${entry.verification.form}: ${entry.verification.result}`,
  };
}
