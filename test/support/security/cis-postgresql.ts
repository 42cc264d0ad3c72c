import type { BenchmarkPoint } from "./benchmark-point.ts";
import { ACCESS_AND_SETTINGS } from "./cis-postgresql/access-and-settings.ts";
import { INSTALLATION_AND_LOGGING } from "./cis-postgresql/installation-and-logging.ts";
import type { PostgresqlFacts } from "./postgresql-facts.ts";

/** The points of the CIS PostgreSQL 16 Benchmark 1.1.0; those with a plus are further ones. */
export const POSTGRESQL_POINTS: readonly BenchmarkPoint<PostgresqlFacts>[] = [
  ...INSTALLATION_AND_LOGGING,
  ...ACCESS_AND_SETTINGS,
];
