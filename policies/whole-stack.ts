import { CONTAINER, type Declared, dynamic, RANDOM_PASSWORD, VOLUME } from "./rule.ts";

/** Something that must be so of all resources together. */
export interface StackRule {
  readonly name: string;
  readonly reason: string;
  readonly remedy: string;
  /** What is wrong, a line each. */
  readonly check: (resources: readonly Declared[]) => string[];
}

/** Shorter texts stand in too many places by chance. */
const LEAST_SECRET = 12;

/** Rules on the whole stack. */
export const STACK_RULES: readonly StackRule[] = [
  {
    name: "no-secret-in-plain-sight",
    reason:
      "Names, labels, commands and environments are shown by docker inspect to whoever may ask the engine.",
    remedy: "hand the secret over in a file of the configuration volume",
    check: (resources) => {
      const secrets = secretsOf(resources);
      return resources
        .filter(({ type }) => [CONTAINER, VOLUME, dynamic("Network")].includes(type))
        .filter(({ props }) => {
          const text = JSON.stringify(props);
          return secrets.some((secret) => text.includes(secret));
        })
        .map(({ name }) => `${name} shows a secret of the stack`);
    },
  },
  {
    name: "health-checked",
    reason: "An up that ends well must mean a healthy server.",
    remedy: "declare a HealthCheck of the server",
    check: (resources) =>
      has(resources, dynamic("ServerConfiguration")) && !has(resources, dynamic("HealthCheck"))
        ? ["there is a server, and nothing checks its health"]
        : [],
  },
  {
    name: "one-server-for-each-volume",
    reason: "Two servers on one data volume destroy it.",
    remedy: "give each server a volume of its own",
    check: (resources) => {
      const servers = resources.filter(
        ({ type, props }) =>
          type === CONTAINER && Array.isArray(props["command"]) && props["command"][0] === "postgres",
      );
      const volumes = servers.flatMap(({ props }) =>
        ((props["mounts"] ?? []) as { readonly source?: string; readonly target?: string }[])
          .filter(({ target = "" }) => target.startsWith("/var/lib/postgresql"))
          .map(({ source = "" }) => source),
      );
      return volumes
        .filter((volume, index) => volume !== "" && volumes.indexOf(volume) !== index)
        .map((volume) => `two servers have the volume ${volume}`);
    },
  },
];

function has(resources: readonly Declared[], wanted: string): boolean {
  return resources.some(({ type }) => type === wanted);
}

/** What is generated as a secret, where it is known already. */
function secretsOf(resources: readonly Declared[]): string[] {
  return resources
    .filter(({ type }) => type === RANDOM_PASSWORD)
    .map(({ props }) => props["result"])
    .filter((result): result is string => typeof result === "string" && result.length >= LEAST_SECRET);
}
