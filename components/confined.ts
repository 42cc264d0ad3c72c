import { derivedName } from "../agent/derived-name.ts";

/** What every container of the stack may do: nothing as root, nothing on its own file system, nothing that takes a capability. */
export const CONFINED = {
  user: "postgres",
  readOnly: true,
  capabilities: { drops: ["ALL"] },
  securityOpts: ["no-new-privileges:true"],
  privileged: false,
};

/** Docker's own log of a container, bounded. */
export const BOUNDED_LOG = { logDriver: "json-file", logOpts: { "max-size": "10m", "max-file": "3" } };

/** Longest that Linux takes: a container with a longer one does not start. */
const LONGEST_HOSTNAME = 64;

/** Host name of a container, by its name, which may be longer. */
export function hostname(containerName: string): string {
  return derivedName(containerName, "", LONGEST_HOSTNAME);
}
