import { readRecord } from "../../toolchain/environment.mjs";
import { bringPostgresImage } from "../../toolchain/postgres-image.mjs";

/** Image that the tests run the server from; it keeps the official image's contract. */
export const TEST_IMAGE = process.env.PGSTACK_IMAGE ?? "pgstack.local/postgres:16.14";

/** An image of another major version, brought here by the way that the set-up went. */
export async function imageOfMajor(major: number): Promise<string> {
  const record = await readRecord();
  if (record === undefined) throw new Error("the checkout was never set up");
  return bringPostgresImage({ ...record, major, log: () => {} });
}
