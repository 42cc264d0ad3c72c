import { audited } from "../operations/audit.ts";
import { resetToSnapshot } from "../operations/testing.ts";
import { dynamicProvider } from "./provider.ts";
import type { TestSnapshotInputs, TestSnapshotResults } from "./test-snapshot.ts";

export const provider = dynamicProvider<TestSnapshotInputs, TestSnapshotResults>({
  async create(inputs) {
    return { id: inputs.target.database, results: await reset(inputs) };
  },
  async update(inputs) {
    return reset(inputs);
  },
});

async function reset(inputs: TestSnapshotInputs): Promise<TestSnapshotResults> {
  const { target, snapshot, specification, logsDirectory } = inputs;
  const parameters: Record<string, unknown> = { snapshot };
  return audited({ logsDirectory, stack: target.stack }, "test.reset", parameters, async () => {
    const done = await resetToSnapshot(target, { project: process.cwd(), name: snapshot, specification });
    Object.assign(parameters, { closedMilliseconds: done.closedMilliseconds });
    return { template: done.template };
  });
}
