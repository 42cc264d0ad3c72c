import { dockerEngine, findContainer } from "./docker.ts";
import { readProof } from "./first-provision.ts";
import { LABEL_STACK, type Target } from "./target.ts";
import { UserError } from "./user-error.ts";

/** Names the stack whose state is made anew on purpose. */
const VARIABLE = "PGSTACK_REBUILD";

/** Lets an `up` take over the server of a stack whose state is lost. */
export function permitRebuild(stack: string): Record<string, string> {
  return { [VARIABLE]: stack };
}

/**
 * Refuses to begin a stack anew whose server is there: its state is lost, or is another one. All passwords and
 * certificates would be made anew, under the feet of its clients.
 *
 * @param dataVolume Its data volume; one without a healthy server's mark is what a killed first `up` left.
 */
export async function refuseLostState(
  { stack, container, dockerHost }: Pick<Target, "stack" | "container" | "dockerHost">,
  dataVolume: string,
): Promise<void> {
  if (process.env[VARIABLE] === stack) return;
  const docker = dockerEngine(dockerHost);
  const server = await findContainer(docker, container);
  if (server?.Config.Labels[LABEL_STACK] !== stack) return;
  if (!server.Mounts.some(({ Name }) => Name === dataVolume)) return;
  if ((await readProof(docker, dataVolume, server.Image)) === undefined) return;
  throw new UserError(
    `the server of stack ${stack} is there (container ${container}), but this state knows nothing of it, and nothing was touched: ` +
      `./pgstack --stack ${stack} state restore brings back a saved state; where none is left, ./pgstack --stack ${stack} state rebuild makes a new one from the server; ` +
      "where the state is somewhere else, PULUMI_BACKEND_URL names it",
  );
}
