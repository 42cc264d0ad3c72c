import { dockerEngine, findContainer } from "./docker.ts";
import { LABEL_STACK } from "./target.ts";
import { UserError } from "./user-error.ts";

/**
 * Removes a container that a killed run of the same stack left under a name that is about to be used. It holds nothing:
 * the data is in its volume.
 *
 * @throws UserError when the name belongs to something else
 */
export async function removeOrphanContainer(options: {
  stack: string;
  container: string;
  dockerHost?: string;
  graceSeconds: number;
}): Promise<void> {
  const engine = dockerEngine(options.dockerHost);
  const found = await findContainer(engine, options.container);
  if (found === undefined) return;
  if (found.Config.Labels[LABEL_STACK] !== options.stack) {
    throw new UserError(
      `the container name ${options.container} is in use by something else on this Docker host: set pgstack:containerName to another name`,
    );
  }
  const container = engine.getContainer(found.Id);
  if (found.State.Running) await container.stop({ t: options.graceSeconds });
  await container.remove({ force: true });
}
