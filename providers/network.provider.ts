import { ensureNetwork, networkExists, removeNetwork } from "../operations/network.ts";
import type { NetworkInputs, NetworkResults } from "./network.ts";
import { dynamicProvider } from "./provider.ts";

/** Keeps a network of the stack's own. */
export const provider = dynamicProvider<NetworkInputs, NetworkResults>({
  replacedBy: ["stack", "network", "internal", "labels"],
  async create(inputs) {
    return { id: inputs.network, results: { networkId: await ensureNetwork(inputs) } };
  },
  async update(inputs) {
    return { networkId: await ensureNetwork(inputs) };
  },
  remove: removeNetwork,
  exists: networkExists,
});
