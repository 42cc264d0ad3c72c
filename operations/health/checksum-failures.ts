import type { HealthCheck } from "./check.ts";
import type { Finding } from "./report.ts";

/** Damaged pages that the server has met in one database. */
export interface ChecksumFailures {
  readonly database: string;
  readonly failures: number;
  /** When the last one was met, as the server writes it. */
  readonly last: string | null;
}

/** Pages whose checksum did not fit when they were read. Value: how many since the statistics began. */
export const checksumFailures: HealthCheck = {
  name: "checksum failures",
  quick: false,
  async run({ session }) {
    const rows = await (await session("administrator")).query<{
      checksums: string;
      database: string | null;
      failures: number;
      last: string | null;
    }>(
      `select current_setting('data_checksums') as checksums, datname as database,
              coalesce(checksum_failures, 0)::float8 as failures, checksum_last_failure::text as last
       from pg_stat_database`,
    );
    const enabled = rows[0]?.checksums === "on";
    const named = rows.map((row) => ({ ...row, database: row.database ?? "shared catalogs" }));
    return evaluateChecksums(enabled, named);
  },
};

/** Judges the failures of all databases. */
export function evaluateChecksums(enabled: boolean, databases: readonly ChecksumFailures[]): Finding {
  if (!enabled) return { status: "warning", message: "data checksums are off: damage on disk stays unseen" };
  const damaged = databases.filter(({ failures }) => failures > 0);
  const value = damaged.reduce((sum, { failures }) => sum + failures, 0);
  if (damaged.length === 0) return { status: "ok", message: "none", value };
  const where = damaged.map(
    ({ database, failures, last }) => `${failures} in ${database}, last ${last ?? "unknown"}`,
  );
  return {
    status: "failed",
    message: `damaged pages: ${where.join("; ")}: keep the backups, check the disk`,
    value,
  };
}
