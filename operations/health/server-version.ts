import { type HealthCheck, singleRow } from "./check.ts";
import type { Finding } from "./report.ts";

/** Oldest major version that this project works with. */
const OLDEST_MAJOR = 16;

/** The server's version is one that this project works with. Value: the version, for example `16.14`. */
export const serverVersion: HealthCheck = {
  name: "server version",
  quick: true,
  async run({ session, facts }) {
    const { version, number } = await singleRow<{ version: string; number: number }>(
      await session("administrator"),
      "select current_setting('server_version') as version, current_setting('server_version_num')::int as number",
    );
    facts.serverVersion = version;
    return evaluateVersion(version, number);
  },
};

/** Judges a version and its number (`server_version_num`, 160014 for 16.14). */
export function evaluateVersion(version: string, number: number): Finding {
  const [value = version] = version.split(" ");
  return Math.floor(number / 10_000) >= OLDEST_MAJOR
    ? { status: "ok", message: `PostgreSQL ${version}`, value }
    : { status: "failed", message: `PostgreSQL ${version} is older than ${OLDEST_MAJOR}`, value };
}
