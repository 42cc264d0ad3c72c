import { ipAddress, network } from "../addresses.ts";
import { setting } from "../documentation.ts";
import { flag, listOf, wholeNumber } from "../values.ts";

const ANEW = "A change makes the container anew: connections end.";

/** Who reaches the server, and where. */
export const networkKeys = {
  port: setting(wholeNumber(1024, 65535).default(5432), "Port that the server listens on in its network.", {
    group: "Network",
    fallback: "5432",
    example: "5433",
    caution: ANEW,
    common: true,
  }),
  publish: setting(
    flag().default(false),
    "Whether the server is reached on a port of the host too. Without it only containers of the stack's network and the host itself reach it.",
    { group: "Network", fallback: "false", example: "true", caution: ANEW, common: true },
  ),
  publishAddress: setting(
    ipAddress().default("127.0.0.1"),
    "Address of the host that is published on; 0.0.0.0 means every address. Docker's own firewall rules come before the host's.",
    { group: "Network", fallback: "127.0.0.1", example: "10.1.2.3", caution: ANEW },
  ),
  publishPort: setting(
    wholeNumber(1, 65535).optional(),
    "Port of the host that is published on. Below 1024 it takes the rights of root.",
    { group: "Network", fallback: "the value of port", example: "15432", caution: ANEW, common: true },
  ),
  clientAddresses: setting(
    listOf(network(), '["10.1.0.0/16"]').default(["0.0.0.0/0", "::/0"]),
    "Networks, as CIDR, that clients may come from: the address part of each line of pg_hba.conf. The server's own container may always connect.",
    {
      group: "Network",
      fallback: "every address, since the network is the stack's own",
      example: "[10.1.0.0/16, fd00:1::/64]",
      structured: true,
    },
  ),
};
