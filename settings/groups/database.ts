import { setting } from "../documentation.ts";
import { databaseName, extensionName, roleName, schemaName } from "../names.ts";
import { projectFile } from "../paths.ts";
import { listOf, text } from "../values.ts";

const RENAMED = "Chosen once: another name makes a new one beside the old, which keeps its data or rights.";

/** What is inside the server: database, roles, schemas, extensions. */
export const databaseKeys = {
  databaseName: setting(databaseName().default("app"), "Name of the application's database.", {
    group: "Database",
    fallback: "app",
    example: "shop",
    caution: RENAMED,
    common: true,
  }),
  administratorRole: setting(
    roleName().default("administrator"),
    "Role for backup, restore and changes of structure. Not a superuser.",
    { group: "Database", fallback: "administrator", example: "shop_administrator", caution: RENAMED },
  ),
  applicationRole: setting(
    roleName().default("application"),
    "Role that reads and writes the application's data.",
    { group: "Database", fallback: "application", example: "shop", caution: RENAMED, common: true },
  ),
  readonlyRole: setting(
    roleName().default("readonly"),
    "Role that only reads, also the tables that come later.",
    { group: "Database", fallback: "readonly", example: "shop_reports", caution: RENAMED },
  ),
  schemas: setting(
    listOf(schemaName(), '["sales", "stock"]').default([]),
    "Schemas to make beside `public`, with the same rights for the roles.",
    { group: "Database", fallback: "none", example: "[sales, stock]", structured: true, common: true },
  ),
  extensions: setting(
    listOf(extensionName(), '["hstore", "citext"]').default([]),
    "Extensions to make beside uuid-ossp, pgcrypto and pg_stat_statements, which every stack has. The image must hold them.",
    {
      group: "Database",
      fallback: "uuid-ossp, pgcrypto, pg_stat_statements",
      example: "[hstore, citext]",
      structured: true,
      common: true,
    },
  ),
  initSql: setting(
    listOf(projectFile(), '["sql/tables.sql"]').default([]),
    "SQL files inside the project, of at most 10 MB each, run in this order, each once in a database: what is added later runs at the next `up`.",
    { group: "Database", fallback: "none", example: "[sql/tables.sql]", structured: true, common: true },
  ),
  schemaVersion: setting(
    text('a version with a file in migrations/, such as 0007, or "latest"', (given) =>
      /^(latest|\d{1,14})$/.test(given),
    ).optional(),
    "Version that an `up` brings the schema to, by the files in migrations/, with a backup before. It takes nothing back: `pgstack migrate down` does.",
    {
      group: "Database",
      fallback: "none: pgstack migrate alone applies migrations",
      example: "latest",
    },
  ),
};
