import { setting } from "../documentation.ts";
import { text } from "../values.ts";

/** What a test stack begins with. */
export const testingKeys = {
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
