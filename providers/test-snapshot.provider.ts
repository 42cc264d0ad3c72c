import { audited } from "../operations/audit.ts";
import { isTemplateThere, resetToSnapshot } from "../operations/testing.ts";
import { liveDrift } from "./live-drift.ts";
import { dynamicProvider } from "./provider.ts";
import type { TestSnapshotInputs, TestSnapshotResults } from "./test-snapshot.ts";

export const provider = dynamicProvider<TestSnapshotInputs, TestSnapshotResults>({
  async create(inputs) {
    return { id: inputs.target.database, results: await reset(inputs) };
  },
  async update(inputs) {
    return reset(inputs);
  },
  // A cluster without it is not the one that was reset: what was in memory is gone with its container.
  async drift({ target, readyTimeoutSeconds }, { template }) {
    return liveDrift(target, "snapshot", readyTimeoutSeconds, async () =>
      (await isTemplateThere(target, template)) ? [] : [{ description: `the template ${template} is gone` }],
    );
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
