import { CONTAINER, IMAGE, list, type Rule, record, STRICT } from "../rule.ts";

const types = [CONTAINER];
const LEAST_GRACE_SECONDS = 120;
/** Logs that Docker itself bounds. */
const BOUNDED_DRIVERS: readonly unknown[] = [undefined, null, "", "json-file", "local"];
const SECRET_NAME = /(PASSWORD|PASSPHRASE|SECRET|TOKEN|CREDENTIAL|PRIVATE_KEY|ACCESS_KEY)/i;

/** What containers are made of, use and tell. */
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
    name: "container-memory-limit",
    reason: "Without a limit one server takes the memory of all; with swap it is slow before it is full.",
    remedy: "set pgstack:memoryLimit",
    types,
    check: ({ props }) => {
      if (!isPositive(props["memory"])) return "it has no memory limit";
      return props["memorySwap"] === props["memory"] ? undefined : "it may swap beside its memory limit";
    },
  },
  {
    name: "container-processor-limit",
    reason: "Without a limit one query takes every core of the host.",
    remedy: "set pgstack:cpuLimit",
    types,
    check: ({ props }) => (isPositive(props["cpus"]) ? undefined : "it has no processor limit"),
  },
  {
    name: "container-log-bounded",
    reason: "A log without bound fills the disk that the data is on.",
    remedy: "set max-size and max-file of the log",
    types,
    check: (resource) => {
      const { "max-size": size, "max-file": files } = record(resource, "logOpts");
      const driver = resource.props["logDriver"];
      if (!BOUNDED_DRIVERS.includes(driver)) return `its log driver ${driver} has no bound`;
      const bounded = /^[1-9]\d*[bkmg]{0,2}$/i.test(String(size)) && isPositive(files);
      return bounded ? undefined : "its log has no bound";
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
    check: (resource) => {
      if (!isServer(resource.props)) return undefined;
      const [kind = "NONE"] = (record(resource, "healthcheck")["tests"] ?? []) as readonly string[];
      return kind === "NONE" ? "it has no health check" : undefined;
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

function isPositive(value: unknown): boolean {
  const number = Number(value);
  return Number.isFinite(number) && number > 0;
}

/** The server and not what is beside it: it alone has a health check's port to answer on. */
function isServer(props: Readonly<Record<string, unknown>>): boolean {
  const command = props["command"];
  return Array.isArray(command) && command[0] === "postgres";
}
