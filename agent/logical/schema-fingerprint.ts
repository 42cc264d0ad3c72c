import { createHash } from "node:crypto";
import type { Context } from "../context.ts";
import { output } from "../program.ts";
import { clientEnvironment, type Server } from "../sql.ts";

const HASTY_MILLISECONDS = 1_000;

/**
 * SHA-256 over a database's schema, the same as long as nothing in its definition changes.
 *
 * @param how Hasty: fail where a table's lock is not to be had at once.
 */
export async function schemaFingerprint(
  server: Server,
  database: string,
  { signal }: Pick<Context, "signal">,
  how: { readonly hasty?: boolean } = {},
): Promise<string> {
  const limit = how.hasty === true ? [`--lock-wait-timeout=${HASTY_MILLISECONDS}`] : [];
  const text = await output("pg_dump", ["--schema-only", "--no-owner", "--no-comments", ...limit], {
    environment: clientEnvironment(server, database),
    signal,
  });
  // Comments name versions; newer releases guard their output by a word that is another one each time.
  const lines = text.split("\n").filter((line) => line !== "" && !/^(--|\\(un)?restrict )/.test(line));
  return createHash("sha256").update(lines.join("\n")).digest("hex");
}
