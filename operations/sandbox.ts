import { sandboxPlaces } from "../agent/sandbox/places.ts";
import { SCRATCH_DIRECTORY } from "./container-directories.ts";

/** Name of the container beside a server's in which restores are proven. */
export function sandboxContainer(serverContainer: string): string {
  return `${serverContainer}-sandbox`;
}

const { requests, sessions, clusters } = sandboxPlaces(SCRATCH_DIRECTORY);

/**
 * What the sandbox runs: one session after the other, as the agent asks for them. Between two of them all that is left is
 * ended and removed, so that none meets what another's cluster has started.
 */
export const SANDBOX_SCRIPT = `clean() {
  kill -9 -1 2>/dev/null
  find ${clusters} -mindepth 1 -type d -exec chmod u+rwx {} + 2>/dev/null
  find ${clusters} -mindepth 1 -delete
}
clean
until [ -p ${requests} ]; do sleep 1; done
exec 3<>${requests}
while read -r id <&3; do
  case $id in *[!0-9a-f]* | "") continue ;; esac
  sh ${sessions}/"$id"/session.sh 3<&-
  clean
done
`;
