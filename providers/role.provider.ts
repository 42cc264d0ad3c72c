import { audited } from "../operations/audit.ts";
import { dockerEngine, findContainer } from "../operations/docker.ts";
import { applyRole, dropRole, planRole } from "../operations/roles.ts";
import { mayBeAsked } from "../operations/running-container.ts";
import { orAbandon } from "./first-provision.ts";
import { waitForFirstStart } from "./first-start.ts";
import { liveDrift } from "./live-drift.ts";
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
    if (!(await mayBeAsked(state.target))) return;
    await audited(auditContext(state), "role.drop", { role: state.name }, () =>
      dropRole(state.target, state.name),
    );
  },
  async exists({ target }) {
    return (await findContainer(dockerEngine(target.dockerHost), target.container)) !== undefined;
  },
  async drift(inputs) {
    const { target, name, readyTimeoutSeconds } = inputs;
    return liveDrift(target, name, readyTimeoutSeconds, () => planRole(target, inputs));
  },
});

async function apply(inputs: RoleInputs, operation: string): Promise<void> {
  await audited(auditContext(inputs), operation, { role: inputs.name, kind: inputs.kind }, () =>
    orAbandon(inputs.target, inputs.firstProvision, async () => {
      await waitForFirstStart(inputs.target, inputs.firstProvision, inputs.readyTimeoutSeconds);
      await applyRole(inputs.target, inputs);
    }),
  );
}

function auditContext(inputs: RoleInputs): { logsDirectory: string; stack: string } {
  return { logsDirectory: inputs.firstProvision.logsDirectory, stack: inputs.target.stack };
}
