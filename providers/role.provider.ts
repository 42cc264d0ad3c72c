import { audited } from "../operations/audit.ts";
import { dockerEngine, findContainer } from "../operations/docker.ts";
import { waitUntilReady } from "../operations/readiness.ts";
import { applyRole, dropRole, planRole } from "../operations/roles.ts";
import { orAbandon } from "./first-provision.ts";
import { dynamicProvider } from "./provider.ts";
import type { RoleInputs } from "./role.ts";

/** Keeps a login role as its kind says; a password or an attribute changed by hand is drift. */
export const provider = dynamicProvider<RoleInputs, object>({
  replacedBy: ["name"],
  async create(inputs) {
    await apply(inputs, "role.create");
    return { id: inputs.name, results: {} };
  },
  async update(inputs, previous) {
    await apply(inputs, inputs.password === previous.password ? "role.update" : "role.rotate");
    return {};
  },
  async remove(state) {
    // The role goes with its server; it is dropped only where the server stays.
    const container = await findContainer(dockerEngine(state.target.dockerHost), state.target.container);
    if (container?.State.Running !== true) return;
    await audited(auditContext(state), "role.drop", { role: state.name }, () =>
      dropRole(state.target, state.name),
    );
  },
  async exists({ target }) {
    return (await findContainer(dockerEngine(target.dockerHost), target.container)) !== undefined;
  },
  async drift(inputs) {
    const container = await findContainer(dockerEngine(inputs.target.dockerHost), inputs.target.container);
    if (container?.State.Running !== true) return [`${inputs.name}: its server does not run`];
    await waitUntilReady(inputs.target, { timeoutSeconds: inputs.readyTimeoutSeconds });
    return (await planRole(inputs.target, inputs)).map((change) => change.description);
  },
});

async function apply(inputs: RoleInputs, operation: string): Promise<void> {
  await audited(auditContext(inputs), operation, { role: inputs.name, kind: inputs.kind }, () =>
    orAbandon(inputs.target, inputs.firstProvision, async () => {
      await waitUntilReady(inputs.target, { timeoutSeconds: inputs.readyTimeoutSeconds });
      await applyRole(inputs.target, inputs);
    }),
  );
}

function auditContext(inputs: RoleInputs): { logsDirectory: string; stack: string } {
  return { logsDirectory: inputs.firstProvision.logsDirectory, stack: inputs.target.stack };
}
