import { ALLOWED, isEmpty, REVIEWED } from "../container-properties.ts";
import { normalPath, unfitHostPlace } from "../host-places.ts";
import { CONTAINER, type Context, list, type Rule, record, VOLUME } from "../rule.ts";

const types = [CONTAINER];
/** The image's own user, nobody, or a user by number that is not 0, however 0 is written; the same for its group. */
const USER = /^(postgres|nobody|[1-9]\d{0,9})(:(postgres|[1-9]\d{0,9}))?$/;
const NO_NEW_PRIVILEGES = new Set([
  ...["no-new-privileges", "no-new-privileges:true", "no-new-privileges=true"],
]);
/** What says no more than what is so anyway. */
const CONFINED = new Set(["seccomp=builtin", "apparmor=docker-default"]);
/** As Docker names volumes; anything else in a volume's place is a path of the host. */
const VOLUME_NAME = /^[a-zA-Z0-9][a-zA-Z0-9_.-]*$/;
const PRIVATE = new Set(["private", "rprivate"]);
const TMPFS_NEEDS = ["noexec", "nosuid", "nodev"];

/** How far a container is from the host that it runs on: what is not known to be harmless is refused. */
export const isolationRules: readonly Rule[] = [
  {
    name: "container-not-root",
    reason: "Whoever breaks out of a container of root is root on the host.",
    remedy: "set user to postgres, or to numbers that are not 0",
    types,
    check: ({ props }) => {
      const user = String(props["user"] ?? "");
      return USER.test(user) ? undefined : `it runs as ${user || "the image's root"}`;
    },
  },
  {
    name: "container-read-only-root",
    reason: "A program that cannot write beside its volumes cannot be changed.",
    remedy: "set readOnly to true, with tmpfs for what must be written",
    types,
    check: ({ props }) => (props["readOnly"] === true ? undefined : "its root file system can be written"),
  },
  {
    name: "container-no-capabilities",
    reason: "PostgreSQL needs none of root's capabilities.",
    remedy: "drop ALL capabilities and add none",
    types,
    check: (resource) => {
      const { drops = [], adds } = record(resource, "capabilities") as { drops?: unknown; adds?: unknown };
      if (!Array.isArray(drops) || !drops.includes("ALL")) return "it keeps capabilities";
      return isEmpty(adds) ? undefined : `it takes capabilities: ${String(adds)}`;
    },
  },
  {
    name: "container-no-new-privileges",
    reason: "A set-user-id program must not lead to more rights.",
    remedy: "set the security option no-new-privileges:true, and nothing that takes it back",
    types,
    check: (resource) => {
      const own = list<unknown>(resource, "securityOpts").filter((option) =>
        String(option).trim().toLowerCase().startsWith("no-new-privileges"),
      );
      if (own.length === 0) return "no-new-privileges is not set";
      const other = own.find((option) => !NO_NEW_PRIVILEGES.has(String(option)));
      return other === undefined ? undefined : `no-new-privileges is not set by "${String(other)}"`;
    },
  },
  {
    name: "container-confined",
    reason: "Docker's own confinement of system calls is what is left when something goes wrong.",
    remedy: "leave seccomp, apparmor and label to Docker: no security option but no-new-privileges:true",
    types,
    check: (resource) => {
      const other = list<unknown>(resource, "securityOpts").find(
        (option) => !NO_NEW_PRIVILEGES.has(String(option)) && !CONFINED.has(String(option)),
      );
      return other === undefined ? undefined : `it has the security option ${short(String(other))}`;
    },
  },
  {
    name: "container-not-privileged",
    reason:
      "A privileged container is the host, and devices, groups and namespaces of the host are parts of it.",
    remedy:
      "leave privileged, devices, groups, kernel settings and the host's or another container's namespaces off",
    types,
    check: ({ props }) => {
      for (const [name, value] of Object.entries(props)) {
        if (REVIEWED.has(name) || isEmpty(value)) continue;
        if (ALLOWED.get(name)?.(value) === true) continue;
        if (value === true) return `it is ${name}`;
        return value === "host" ? `${name} is the host's` : `${name} is ${short(JSON.stringify(value))}`;
      }
      return undefined;
    },
  },
  {
    name: "container-own-network",
    reason:
      "The host's network, another container's, or Docker's own bridge are outside of what the stack guards.",
    remedy: "name the stack's networks in networksAdvanced, or set networkMode to none",
    types,
    check: (resource) => {
      const mode = resource.props["networkMode"];
      if (mode === "host") return "networkMode is the host's";
      const networks = list<{ name?: unknown }>(resource, "networksAdvanced");
      // The provider's default: it leaves Docker's bridge for the named ones.
      if ((isEmpty(mode) || mode === "bridge") && networks.length === 0)
        return "it is on Docker's own bridge";
      if (!isEmpty(mode) && mode !== "bridge" && mode !== "none")
        return `networkMode is ${short(String(mode))}`;
      const shared = networks.find(({ name }) =>
        ["host", "bridge", "none", "default"].includes(String(name)),
      );
      return shared === undefined ? undefined : `it is on the network ${String(shared.name)}`;
    },
  },
  {
    name: "container-no-host-paths",
    reason: "A container that sees the host's own folders, or the engine's socket, can change the host.",
    remedy: "mount volumes by their names; only the folder of pgstack:backupDirectory may be the host's",
    types,
    check: (resource, context) => {
      const [old] = list<Record<string, unknown>>(resource, "volumes");
      if (old !== undefined) return `volumes has ${place(old)}, which mounts says`;
      for (const mount of list<Record<string, unknown>>(resource, "mounts")) {
        const wrong = mountProblem(mount, context);
        if (wrong !== undefined) return wrong;
      }
      return undefined;
    },
  },
  {
    name: "container-tmpfs-inert",
    reason: "What can be written in a container must not be run there, nor lead to devices or more rights.",
    remedy: "give each tmpfs the options noexec, nosuid and nodev, and none that takes them back",
    types,
    check: (resource) => {
      for (const [path, given] of Object.entries(record(resource, "tmpfs"))) {
        if (path === "__defaults") continue;
        const options = String(given).toLowerCase().split(",");
        const missing = TMPFS_NEEDS.find(
          (option) => !options.includes(option) || options.includes(option.slice(2)),
        );
        if (missing !== undefined) return `${path} is without ${missing}`;
      }
      return undefined;
    },
  },
  {
    name: "volume-not-of-host",
    reason: "A volume whose driver binds a folder or a device of the host is that folder.",
    remedy: "leave driver and driverOpts to Docker; pgstack:backupDirectory takes a folder of the host",
    types: [VOLUME],
    check: (resource) => {
      const { driver } = resource.props;
      if (!isEmpty(driver) && driver !== "local") return `its driver is ${short(String(driver))}`;
      return driverProblem(record(resource, "driverOpts"));
    },
  },
];

/** Why a mount shows more than a volume or the folder for backups. */
function mountProblem(mount: Readonly<Record<string, unknown>>, context: Context): string | undefined {
  const { type } = mount;
  if (type === "tmpfs") return undefined;
  if (type === "volume") {
    const options = mount["volumeOptions"] as Readonly<Record<string, unknown>> | undefined;
    if (!isEmpty(options?.["driverName"]) && options?.["driverName"] !== "local")
      return `${place(mount)} is of the driver ${String(options?.["driverName"])}`;
    if (!isEmpty(options?.["driverOptions"])) return `${place(mount)} has options of its driver`;
    return VOLUME_NAME.test(String(mount["source"] ?? ""))
      ? undefined
      : `${place(mount)} is no volume's name`;
  }
  if (type !== "bind") return `a mount of type ${short(String(type))}`;
  const path = normalPath(mount["source"]);
  if (path === undefined) return `${place(mount)} is no absolute path`;
  const unfit = unfitHostPlace(path, context.engineFolders ?? []);
  if (unfit !== undefined) return `${place(mount)} of the host: ${unfit}`;
  if (path !== normalPath(context.backupDirectory))
    return `${place(mount)} of the host is not pgstack:backupDirectory`;
  const propagation = (mount["bindOptions"] as { propagation?: unknown } | undefined)?.propagation;
  return isEmpty(propagation) || PRIVATE.has(String(propagation))
    ? undefined
    : `${place(mount)} is mounted ${short(String(propagation))}`;
}

/** Only a file system in memory may be asked for; `data-on-disk` says where. */
function driverProblem(options: Readonly<Record<string, unknown>>): string | undefined {
  const { type, device, o, __defaults: _, ...others } = options;
  if (isEmpty(options)) return undefined;
  const memory = type === "tmpfs" && (isEmpty(device) || device === "tmpfs") && isEmpty(others);
  return memory && !/(^|,)\s*r?bind\s*(,|$)/i.test(String(o ?? ""))
    ? undefined
    : `its driver mounts ${short(JSON.stringify({ type, device, o }))}`;
}

function place(mount: Readonly<Record<string, unknown>>): string {
  return short(
    String(mount["source"] ?? mount["hostPath"] ?? mount["volumeName"] ?? mount["fromContainer"] ?? ""),
  );
}

function short(text: string): string {
  const line = text.replaceAll(/\p{Cc}/gu, "?");
  return line.length > 80 ? `${line.slice(0, 80)}…` : line;
}
