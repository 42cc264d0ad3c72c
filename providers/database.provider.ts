import { audited } from "../operations/audit.ts";
import { applyDatabase, planDatabase, RolesMissing, runInitSql } from "../operations/database.ts";
import { dockerEngine, findContainer } from "../operations/docker.ts";
import { waitUntilReady } from "../operations/readiness.ts";
import type { DatabaseInputs } from "./database.ts";
import { orAbandon } from "./first-provision.ts";
import { liveDrift } from "./live-drift.ts";
import { dynamicProvider } from "./provider.ts";

/** Keeps the database's schemas, extensions and every grant as declared; what someone granted by hand is taken back. */
export const provider = dynamicProvider<DatabaseInputs, object>({
  async create(inputs) {
    await apply(inputs, "database.create");
    return { id: inputs.target.database, results: {} };
  },
  async update(inputs) {
    await apply(inputs, "database.update");
    return {};
  },
  async exists({ target }) {
    return (await findContainer(dockerEngine(target.dockerHost), target.container)) !== undefined;
  },
  async drift(inputs) {
    const { target, readyTimeoutSeconds } = inputs;
    return liveDrift(target, target.database, readyTimeoutSeconds, async () => {
      try {
        return await planDatabase(target, specification(inputs));
      } catch (error) {
        // They are made again first; then the database is looked at again.
        if (error instanceof RolesMissing) return [{ description: error.message }];
        throw error;
      }
    });
  },
});

async function apply(inputs: DatabaseInputs, operation: string): Promise<void> {
  const { target, firstProvision } = inputs;
  const context = { logsDirectory: firstProvision.logsDirectory, stack: target.stack };
  const parameters = { database: target.database, schemas: inputs.schemas, extensions: inputs.extensions };
  await audited(context, operation, parameters, () =>
    orAbandon(target, firstProvision, async () => {
      await waitUntilReady(target, { timeoutSeconds: inputs.readyTimeoutSeconds });
      await applyDatabase(target, specification(inputs));
      await runInitSql(target, specification(inputs), inputs.initSql);
      // What the init SQL made gets its grants now, not at the next run.
      await applyDatabase(target, specification(inputs));
    }),
  );
}

function specification(inputs: DatabaseInputs) {
  const { administrator, application, readonly, schemas, extensions } = inputs;
  return { name: inputs.target.database, administrator, application, readonly, schemas, extensions };
}
