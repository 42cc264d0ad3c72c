import { audited } from "../operations/audit.ts";
import { ensureNetwork, networkExists, removeNetwork } from "../operations/network.ts";
import type { NetworkInputs, NetworkResults } from "./network.ts";
import { dynamicProvider } from "./provider.ts";

/** Keeps a network of the stack's own. */
export const provider = dynamicProvider<NetworkInputs, NetworkResults>({
  replacedBy: ["stack", "network", "internal", "outgoing"],
  async create(inputs) {
    const networkId = await recorded(inputs, "network.create", () => ensureNetwork(inputs, console.error));
    return { id: inputs.network, results: { networkId } };
  },
  async update(inputs) {
    return {
      networkId: await recorded(inputs, "network.update", () => ensureNetwork(inputs, console.error)),
    };
  },
  async remove(state) {
    await recorded(state, "network.remove", () => removeNetwork(state));
  },
  exists: networkExists,
});

function recorded<Value>(
  { stack, network, internal, outgoing, logsDirectory }: NetworkInputs,
  operation: string,
  work: () => Promise<Value>,
): Promise<Value> {
  if (logsDirectory === undefined) return work();
  const parameters = { network, internal, ...(outgoing === undefined ? {} : { outgoing }) };
  return audited({ logsDirectory, stack }, operation, parameters, work);
}
