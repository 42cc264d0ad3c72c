/** Properties of a container that take nothing away from its isolation, or that a rule of their own is about. */
export const REVIEWED: ReadonlySet<string> = new Set([
  // What it is, and what is known of it.
  ...[
    "name",
    "hostname",
    "domainname",
    "image",
    "platform",
    "labels",
    "workingDir",
    "stopSignal",
    "stopTimeout",
  ],
  ...["command", "entrypoints", "envs", "healthcheck", "init", "tty", "stdinOpen"],
  // How the provider treats it.
  ...[
    "attach",
    "logs",
    "mustRun",
    "start",
    "wait",
    "waitTimeout",
    "rm",
    "removeVolumes",
    "destroyGraceSeconds",
  ],
  ...["containerReadRefreshTimeoutMilliseconds", "restart", "maxRetryCount"],
  // How much it may use.
  ...["cpus", "cpuPeriod", "cpuQuota", "cpuSet", "cpuShares", "memory", "memorySwap", "memoryReservation"],
  ...[
    "shmSize",
    "storageOpts",
    "ulimits",
    "logDriver",
    "logOpts",
    "deviceReadBps",
    "deviceReadIops",
    "deviceWriteBps",
    "deviceWriteIops",
  ],
  // Names that it finds others by.
  ...["dns", "dnsOpts", "dnsSearches", "hosts", "networksAdvanced", "ports"],
  // Rules of their own.
  ...["user", "readOnly", "capabilities", "securityOpts", "mounts", "volumes", "tmpfs", "networkMode"],
  // What Pulumi adds.
  "__defaults",
]);

const off = (value: unknown): boolean => value === false;
const oneOf =
  (...allowed: readonly string[]) =>
  (value: unknown): boolean =>
    allowed.some((word) => word === value);
const never = (): boolean => false;

/** What a property that touches the host may be, beside absent and empty. */
export const ALLOWED: ReadonlyMap<string, (value: unknown) => boolean> = new Map([
  ["privileged", off],
  ["publishAllPorts", off],
  // A namespace of its own. Another container's is another's rights.
  ["ipcMode", oneOf("private", "none")],
  ["cgroupnsMode", oneOf("private")],
  // Runtimes that confine at least as much as the default one.
  ["runtime", oneOf("runc", "crun", "runsc")],
  ["pidMode", never],
  ["usernsMode", never],
  ["cgroupParent", never],
  ["groupAdds", never],
  ["devices", never],
  ["deviceCgroupRules", never],
  ["deviceRequests", never],
  ["gpus", never],
  ["sysctls", never],
  ["uploads", never],
]);

/** Whether a property says nothing. */
export function isEmpty(value: unknown): boolean {
  if (value === undefined || value === null || value === "") return true;
  if (typeof value !== "object") return false;
  return Object.keys(value).every((key) => key === "__defaults");
}
