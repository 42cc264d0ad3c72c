import { setting } from "../documentation.ts";
import { dockerName } from "../names.ts";

const DATA_LEFT = "With another name the stack starts on a new, empty volume.";

/** How the stack's things are called in Docker. */
export const dockerNameKeys = {
  containerName: setting(dockerName().optional(), "Name of the server's container.", {
    group: "Names in Docker",
    fallback: "pgstack-<stack>",
    example: "shop-database",
    caution: "A change makes the container anew: connections end.",
  }),
  networkName: setting(
    dockerName(["bridge", "host", "none", "default"]).optional(),
    "Name of the stack's own internal network, which applications join to reach the server.",
    {
      group: "Names in Docker",
      fallback: "pgstack-<stack>",
      example: "shop-backend",
      caution:
        "A change makes network and container anew: connections end. Containers of applications that are in it are moved along, but for those made with `--network` of the old name: Docker cannot move these, and up names them.",
      variable: "POSTGRES_NETWORK_NAME",
      common: true,
    },
  ),
  dataVolumeName: setting(dockerName().optional(), "Name of the volume with the data.", {
    group: "Names in Docker",
    fallback: "pgstack-<stack>-data; pgstack-<stack>-memory with dataInMemory",
    example: "shop-data",
    caution: DATA_LEFT,
  }),
  configurationVolumeName: setting(
    dockerName().optional(),
    "Name of the volume with the server's configuration and certificates.",
    {
      group: "Names in Docker",
      fallback: "pgstack-<stack>-configuration",
      example: "shop-configuration",
      caution: "A change makes the container anew: connections end.",
    },
  ),
};
