import { CONTAINER, IMAGE, list, type Rule, record, STRICT } from "../rule.ts";

const types = [CONTAINER];
const LEAST_GRACE_SECONDS = 120;
/** Places of the host that a container must never see. */
const FORBIDDEN_PATHS = ["/", "/etc", "/proc", "/sys", "/dev", "/root", "/home", "/var/run", "/run"];
const SECRET_NAME = /(PASSWORD|PASSPHRASE|SECRET|TOKEN|CREDENTIAL|PRIVATE_KEY|ACCESS_KEY)/i;

/** What containers may do and use. */
export const containerRules: readonly Rule[] = [
  {
    name: "image-pinned",
    reason: "A tag may be another image tomorrow: what was tried would not be what runs.",
    remedy: "set pgstack:image to a reference with @sha256:…, or let the stack resolve the tag",
    environments: STRICT,
    types: [IMAGE],
    // One that was made on the host itself is in no registry: its container runs it by its id.
    check: ({ props }) =>
      /(^pgstack\.local\/|(@|^)sha256:[0-9a-f]{64}$)/.test(String(props["name"]))
        ? undefined
        : `the image ${props["name"]} has no digest`,
  },
  {
    name: "container-image-by-id",
    reason: "A container by a tag changes when the tag does.",
    remedy: "give the container the id that the image was resolved to",
    types,
    check: ({ props }) =>
      /sha256:[0-9a-f]{64}$/.test(String(props["image"]))
        ? undefined
        : `the image is ${props["image"]}, not an id`,
  },
  {
    name: "container-not-root",
    reason: "Whoever breaks out of a container of root is root on the host.",
    remedy: "set user to the image's own user, such as postgres",
    types,
    check: ({ props }) => {
      const user = String(props["user"] ?? "");
      return user === "" || /^(root|0)(:|$)/.test(user)
        ? `it runs as ${user || "the image's root"}`
        : undefined;
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
      const { drops = [], adds = [] } = record(resource, "capabilities") as {
        drops?: string[];
        adds?: string[];
      };
      if (!drops.includes("ALL")) return "it keeps capabilities";
      return adds.length > 0 ? `it takes capabilities: ${adds.join(", ")}` : undefined;
    },
  },
  {
    name: "container-no-new-privileges",
    reason: "A set-user-id program must not lead to more rights.",
    remedy: "set the security option no-new-privileges:true",
    types,
    check: (resource) =>
      list<string>(resource, "securityOpts").some((option) => /^no-new-privileges([:=]true)?$/.test(option))
        ? undefined
        : "no-new-privileges is not set",
  },
  {
    name: "container-confined",
    reason: "Docker's own confinement of system calls is what is left when something goes wrong.",
    remedy: "remove seccomp=unconfined and apparmor=unconfined",
    types,
    check: (resource) =>
      list<string>(resource, "securityOpts").find((option) => option.includes("unconfined")),
  },
  {
    name: "container-not-privileged",
    reason: "A privileged container is the host.",
    remedy: "leave privileged, devices and the host's namespaces off",
    types,
    check: ({ props }) => {
      if (props["privileged"] === true) return "it is privileged";
      const shared = ["pidMode", "ipcMode", "networkMode", "usernsMode"].find(
        (mode) => props[mode] === "host",
      );
      return shared === undefined ? undefined : `${shared} is the host's`;
    },
  },
  {
    name: "container-memory-limit",
    reason: "Without a limit one server takes the memory of all; with swap it is slow before it is full.",
    remedy: "set pgstack:memoryLimit",
    types,
    check: ({ props }) => {
      if (!(Number(props["memory"]) > 0)) return "it has no memory limit";
      return props["memorySwap"] === props["memory"] ? undefined : "it may swap beside its memory limit";
    },
  },
  {
    name: "container-processor-limit",
    reason: "Without a limit one query takes every core of the host.",
    remedy: "set pgstack:cpuLimit",
    types,
    check: ({ props }) => (Number(props["cpus"]) > 0 ? undefined : "it has no processor limit"),
  },
  {
    name: "container-log-bounded",
    reason: "A log without bound fills the disk that the data is on.",
    remedy: "set max-size and max-file of the log",
    types,
    check: (resource) => {
      const { "max-size": size, "max-file": files } = record(resource, "logOpts");
      return size && files ? undefined : "its log has no bound";
    },
  },
  {
    name: "container-restarts",
    reason: "After a crash or a restart of the engine nobody should have to start it.",
    remedy: "set restart to unless-stopped",
    types,
    check: ({ props }) =>
      ["unless-stopped", "always"].includes(String(props["restart"]))
        ? undefined
        : "it does not start again by itself",
  },
  {
    name: "container-stop-grace",
    reason: "A server that is killed has to recover at its next start.",
    remedy: `set pgstack:stopGraceSeconds to ${LEAST_GRACE_SECONDS} or more`,
    environments: STRICT,
    types,
    check: (resource) => {
      if (!isServer(resource.props)) return undefined;
      const seconds = Number(resource.props["destroyGraceSeconds"] ?? 0);
      return seconds >= LEAST_GRACE_SECONDS ? undefined : `it is killed after ${seconds} seconds`;
    },
  },
  {
    name: "container-health-check",
    reason: "Docker and whoever waits for the server must know whether it answers.",
    remedy: "give the server its health check back",
    types,
    check: (resource) =>
      isServer(resource.props) && resource.props["healthcheck"] === undefined
        ? "it has no health check"
        : undefined,
  },
  {
    name: "container-no-host-paths",
    reason: "A container that sees the host's own folders, or the engine's socket, can change the host.",
    remedy: "mount volumes; only the folder of pgstack:backupDirectory may be the host's",
    types,
    check: (resource) => {
      const mounts = list<{ type?: string; source?: string }>(resource, "mounts");
      const bound = [
        ...mounts.filter(({ type }) => type === "bind").map(({ source = "" }) => source),
        ...list<{ hostPath?: string }>(resource, "volumes").map(({ hostPath = "" }) => hostPath),
      ];
      return bound.find(
        (path) => FORBIDDEN_PATHS.includes(path.replace(/(.)\/+$/, "$1")) || /docker.*\.sock$/.test(path),
      );
    },
  },
  {
    name: "container-no-secret-in-environment",
    reason: "What is in a container's environment is shown by docker inspect and to every process in it.",
    remedy: "hand secrets over in files of a volume",
    types,
    check: (resource) => {
      const names = list<string>(resource, "envs").map((entry) => entry.split("=", 1)[0] ?? "");
      return names.find((name) => SECRET_NAME.test(name) && !name.endsWith("_FILE"));
    },
  },
];

/** The server and not what is beside it: it alone has a health check's port to answer on. */
function isServer(props: Readonly<Record<string, unknown>>): boolean {
  const command = props["command"];
  return Array.isArray(command) && command[0] === "postgres";
}
