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
