import { isDeepStrictEqual } from "node:util";
import { audited } from "../operations/audit.ts";
import { escapeControlCharacters } from "../operations/control-characters.ts";
import { requireRestoreAllowed } from "../operations/restore/allowed.ts";
import { beginChain } from "../operations/restore/chain.ts";
import { proveRestored } from "../operations/restore/prove.ts";
import { restoreInPlace } from "../operations/restore.ts";
import { dynamicProvider } from "./provider.ts";
import type { RestoreInputs, RestoreResults } from "./restore.ts";

/** Restores the stack's database in place; the config that asks for it is the confirmation. */
export const provider = dynamicProvider<RestoreInputs, RestoreResults>({
  async create(inputs) {
    const results = await restore(inputs);
    return { id: results.restoreId, results };
  },
  async update(inputs, previous) {
    if (!isDeepStrictEqual(inputs.wanted, previous.wanted)) return restore(inputs);
    const { restoreId, backup, lsn, safetyBackup } = previous;
    return { restoreId, backup, lsn, safetyBackup };
  },
});

async function restore(inputs: RestoreInputs): Promise<RestoreResults> {
  const { target, wanted, accept, roles, logsDirectory } = inputs;
  const given = accept === undefined ? {} : { accept };
  requireRestoreAllowed(inputs.environment, inputs.allowedUntil);
  const parameters: Record<string, unknown> = { wanted, ...given };
  return audited({ logsDirectory, stack: target.stack }, "restore", parameters, async () => {
    const { id, prepared, safetyBackup } = await restoreInPlace(target, wanted, {
      ...given,
      confirm: async () => true,
      prove: () => proveRestored(target, roles),
      timeoutSeconds: Math.max(600, inputs.readyTimeoutSeconds),
      // Warnings and progress of a provider go to Pulumi's own output.
      onStep: (text) => console.error(escapeControlCharacters(text)),
    });
    const chain = await beginChain(target, { takenToo: true });
    Object.assign(parameters, { id, lsn: prepared.lsn, safetyBackup, chain });
    return {
      ...{ restoreId: id, backup: prepared.backup, lsn: prepared.lsn },
      safetyBackup: safetyBackup ?? "",
    };
  });
}
