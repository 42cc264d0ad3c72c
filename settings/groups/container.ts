import { setting } from "../documentation.ts";
import { memory } from "../memory-size.ts";
import { decimal, wholeNumber } from "../values.ts";

const ANEW = "A change makes the container anew: connections end.";

/** What the container may use, and how it stops. */
export const containerKeys = {
  memoryLimit: setting(
    memory("64MB", "16TB").optional(),
    "Most memory that the container may have. sharedBuffers and the server's own need must fit into it.",
    {
      group: "Container",
      fallback: "1GB; 4GB in production",
      example: "8GB",
      caution: ANEW,
      common: true,
    },
  ),
  cpuLimit: setting(decimal(0.1, 1024, "cores").default(2), "Most processor time, in cores.", {
    group: "Container",
    fallback: "2",
    example: "1.5",
    caution: ANEW,
    common: true,
  }),
  pidsLimit: setting(
    wholeNumber(32, 4194304).optional(),
    "Most processes and threads. Each connection is a process.",
    {
      group: "Container",
      fallback: "256, or more where maxConnections needs it",
      example: "512",
      caution: ANEW,
    },
  ),
  ballastMegabytes: setting(
    wholeNumber(0, 1048576, "megabytes").optional(),
    "Megabytes that a file on the data volume holds back. A server that has filled its disk recovers with that room by itself, and health tells that it is used up. 0: none.",
    { group: "Container", fallback: "64, 0 in test environments", example: "1024", caution: ANEW },
  ),
  shmSize: setting(
    memory("1MB", "16TB").optional(),
    "Size of /dev/shm, which parallel queries share their memory in. Used only as far as it is needed.",
    {
      group: "Container",
      fallback: "a quarter of memoryLimit, from 64MB to 256MB, or more where workMem needs it",
      example: "512MB",
      caution: ANEW,
    },
  ),
  stopGraceSeconds: setting(
    wholeNumber(10, 3600, "seconds").default(120),
    "Seconds that the server gets to stop cleanly before it is killed. Staging and production need 120 at least.",
    { group: "Container", fallback: "120", example: "300" },
  ),
};
