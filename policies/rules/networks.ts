import { isIP } from "node:net";
import { CONTAINER, dynamic, list, type Rule, STRICT } from "../rule.ts";

const EVERYWHERE = new Set(["", "0.0.0.0", "::"]);
/** Loopback, and the ranges that no router of the internet knows: RFC 1918, RFC 4193. */
const OWN = /^(127\.|10\.|192\.168\.|172\.(1[6-9]|2\d|3[01])\.|::1$|f[cd][0-9a-f]{2}:)/i;
const LOOPBACK = /^(127\.|::1$)/;
/** What ends the names of networks beside the internal one: to publish a port from, and for the agent to reach a storage by. */
const BESIDE = ["access", "storage"];
/** How a server's TLS comes about. */
const TLS_MODES = ["generated", "files"];

interface Port {
  readonly ip?: string;
  readonly external?: number;
}

/** Who can reach the server. */
export const networkRules: readonly Rule[] = [
  {
    name: "network-internal",
    reason: "On an internal network nothing outside reaches the server, whatever else is set.",
    remedy:
      "leave the stack's network internal; beside it are NAME-access for a published port, and NAME-storage for the agent",
    types: [dynamic("Network")],
    check: ({ props }, { networkName }) =>
      props["internal"] === true || BESIDE.some((suffix) => props["network"] === `${networkName}-${suffix}`)
        ? undefined
        : `the network ${props["network"]} is not internal`,
  },
  {
    name: "published-network-answers",
    reason: "A server that is taken over must not begin connections to the outside and carry data off.",
    remedy: "leave NAME-access without outgoing connections; the agent has NAME-storage for its own",
    types: [dynamic("Network")],
    check: ({ props }, { networkName }) =>
      props["network"] === `${networkName}-access` && props["outgoing"] === true
        ? `connections to the outside may begin in the network ${props["network"]}`
        : undefined,
  },
  {
    name: "port-on-own-address",
    reason: "A port on every address, or on a public one, is found by scanners within hours.",
    remedy: "set pgstack:publishAddress to a loopback or private address of the host",
    types: [CONTAINER],
    check: (resource) => {
      const open = list<Port>(resource, "ports").find(
        ({ ip = "" }) => EVERYWHERE.has(ip) || isIP(ip) === 0 || !OWN.test(ip),
      );
      return open === undefined
        ? undefined
        : `port ${open.external} is published on ${open.ip || "every address"}`;
    },
  },
  {
    name: "port-on-loopback-for-tests",
    reason: "Test and development servers have data and passwords that nobody guards.",
    remedy: "set pgstack:publishAddress to 127.0.0.1, or pgstack:publish to false",
    environments: ["development", "test"],
    types: [CONTAINER],
    check: (resource) => {
      const open = list<Port>(resource, "ports").find(({ ip = "" }) => isIP(ip) === 0 || !LOOPBACK.test(ip));
      return open === undefined ? undefined : `port ${open.external} is published on ${open.ip}`;
    },
  },
  {
    name: "tls-on",
    reason: "Without TLS passwords and data cross the network as they are.",
    remedy: "set pgstack:tls to mode generated or files",
    environments: STRICT,
    types: [dynamic("ServerConfiguration")],
    check: ({ props }) => {
      const mode = (props["tls"] as { mode?: string } | undefined)?.mode ?? "off";
      return TLS_MODES.includes(mode) ? undefined : `TLS is ${mode}`;
    },
  },
];
