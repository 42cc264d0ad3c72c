import { setting } from "../documentation.ts";
import { memory } from "../memory-size.ts";
import { flag, text } from "../values.ts";

/** What a test stack begins with. */
export const testingKeys = {
  dataInMemory: setting(
    memory("64MB", "1TB").optional(),
    "Size of a file system in memory that holds the data of a test stack, and that memoryLimit has room for. The server then does not wait for disks either: fsync, full_page_writes and synchronous_commit are off, and connections are not logged. The data is gone when the container stops; `pulumi up` makes it anew.",
    {
      group: "Container",
      fallback: "none: the data is on disk",
      example: "1GB",
      caution: "A change makes the data volume anew, empty. For test stacks only.",
    },
  ),
  dataInMemoryHugePages: setting(
    flag().default(true),
    "Whether the kernel may hold what dataInMemory holds in pages larger than 4 kB (the tmpfs option `huge=within_size`): since Linux 6.14 that takes a third off the time of a copy. A kernel without transparent huge pages needs false.",
    {
      group: "Container",
      fallback: "true",
      example: "false",
      caution: "A change makes the data volume anew, empty, where it is in memory.",
    },
  ),
  testSnapshot: setting(
    text("a snapshot's name, such as standard", (given) =>
      /^[a-z0-9][a-z0-9_-]{0,39}$/.test(given),
    ).optional(),
    "Snapshot (a file in snapshots/) that the database of a test stack is brought to, once and again whenever the file has changed.",
    {
      group: "Database",
      fallback: "none: an empty database",
      example: "standard",
      caution: "The database's content is replaced. For test stacks only.",
    },
  ),
};
