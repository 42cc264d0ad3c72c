import { audited } from "../operations/audit.ts";
import { dockerEngine, findContainer } from "../operations/docker.ts";
import { waitUntilReady } from "../operations/readiness.ts";
import { mayBeAsked } from "../operations/running-container.ts";
import { isMarked, markTestEnvironment, unmarkTestEnvironment } from "../operations/testing/environment.ts";
import { liveDrift } from "./live-drift.ts";
import { dynamicProvider } from "./provider.ts";
import type { TestEnvironmentInputs } from "./test-environment.ts";

export const provider = dynamicProvider<TestEnvironmentInputs, object>({
  async create(inputs) {
    await mark(inputs);
    return { id: inputs.target.container, results: {} };
  },
  async update(inputs) {
    await mark(inputs);
    return {};
  },
  // A stack that is for something else from now on has nothing reset any more.
  async remove({ target }) {
    if (await mayBeAsked(target)) await unmarkTestEnvironment(target);
  },
  async exists({ target }) {
    return (await findContainer(dockerEngine(target.dockerHost), target.container)) !== undefined;
  },
  async drift({ target, readyTimeoutSeconds }) {
    return liveDrift(target, "test environment", readyTimeoutSeconds, async () =>
      (await isMarked(target)) ? [] : [{ description: "the mark of the test environment is gone" }],
    );
  },
});

async function mark({ target, logsDirectory, readyTimeoutSeconds }: TestEnvironmentInputs): Promise<void> {
  await audited({ logsDirectory, stack: target.stack }, "test-environment.mark", {}, async () => {
    await waitUntilReady(target, { timeoutSeconds: readyTimeoutSeconds });
    await markTestEnvironment(target);
  });
}
