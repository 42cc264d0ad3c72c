import { test } from "vitest";
import { acquireDatabase, type TestDatabase } from "./client.ts";

export { acquireDatabase, type TestDatabase } from "./client.ts";

/** Vitest's `test` with a database of its own for each test that names it: `databaseTest("…", ({ database }) => …)`. */
export const databaseTest = test.extend<{ database: TestDatabase }>({
  // biome-ignore lint/correctness/noEmptyPattern: vitest reads the names of other fixtures here.
  database: async ({}, use) => {
    const database = await acquireDatabase();
    try {
      await use(database);
    } finally {
      await database.release();
    }
  },
});
