import { audited } from "../operations/audit.ts";
import { applyContainerNetworks, planContainerNetworks } from "../operations/container-networks.ts";
import type { ContainerNetworksInputs } from "./container-networks.ts";
import { dynamicProvider } from "./provider.ts";

/** Keeps a container in its own networks and in no other; what was connected or disconnected by hand is drift. */
export const provider = dynamicProvider<ContainerNetworksInputs, object>({
  replacedBy: ["container"],
  async create(inputs) {
    await apply(inputs);
    return { id: inputs.container, results: {} };
  },
  async update(inputs) {
    await apply(inputs);
    return {};
  },
  async drift(inputs) {
    return (await planContainerNetworks(inputs)).map(({ description }) => description);
  },
});

async function apply(inputs: ContainerNetworksInputs): Promise<void> {
  const changes = await planContainerNetworks(inputs);
  if (changes.length === 0) return;
  const { stack, container, logsDirectory } = inputs;
  const parameters = { container, changes: changes.map(({ description }) => description) };
  await audited({ logsDirectory, stack }, "network.attach", parameters, () =>
    applyContainerNetworks(inputs, changes),
  );
}
