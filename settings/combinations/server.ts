import type { Combination } from "../combination.ts";
import { mismatch, type Problem } from "../problem.ts";
import { parameterNumber, parameterValue, unfitForMajor } from "../server-parameters.ts";

const MEGA = 1024 ** 2;
/** The three roles, a backup and a health check at the same time. */
const USUAL_CONNECTIONS = 5;

/** Settings of PostgreSQL that the server would not start with, or that contradict each other. */
export function serverProblems({ settings }: Combination): Problem[] {
  const problems = Object.entries(settings.serverSettings).flatMap(([name, given]): Problem[] => {
    const right = unfitForMajor(name, given, settings.majorVersion);
    return right === undefined ? [] : [inServerSettings(settings.serverSettings, name, right)];
  });
  const number = (name: string, fallback: number): number => parameterNumber(settings, name) ?? fallback;

  const kept = number("superuser_reserved_connections", 3) + number("reserved_connections", 0);
  if (settings.maxConnections < kept + USUAL_CONNECTIONS) {
    problems.push(
      mismatch(
        ["maxConnections", "serverSettings"],
        settings.maxConnections,
        `at least ${kept + USUAL_CONNECTIONS}: ${kept} are reserved, and the roles, a backup and a health check take ${USUAL_CONNECTIONS}`,
      ),
    );
  }

  const [smallest, largest] = [number("min_wal_size", 80 * MEGA), number("max_wal_size", 1024 * MEGA)];
  // Two segments of 16MB: the server does not start with less.
  for (const name of ["min_wal_size", "max_wal_size"]) {
    if (number(name, 80 * MEGA) < 32 * MEGA) {
      problems.push(inServerSettings(settings.serverSettings, name, "at least 32MB, two segments of WAL"));
    }
  }
  if (smallest > largest) {
    const named = "min_wal_size" in settings.serverSettings ? "min_wal_size" : "max_wal_size";
    problems.push(
      named === "min_wal_size"
        ? inServerSettings(settings.serverSettings, named, `at most max_wal_size ${largest / MEGA}MB`)
        : inServerSettings(settings.serverSettings, named, `at least min_wal_size ${smallest / MEGA}MB`),
    );
  }

  if (isMinimal(parameterValue(settings, "wal_level")) && number("max_wal_senders", 10) > 0) {
    problems.push(
      inServerSettings(
        settings.serverSettings,
        "wal_level",
        "replica or logical while max_wal_senders is above 0",
      ),
    );
  }
  return problems;
}

/** A problem with an entry of serverSettings. */
export function inServerSettings(
  map: Readonly<Record<string, unknown>>,
  name: string,
  right: string,
): Problem {
  return mismatch([`serverSettings.${name}`], map[name], right);
}

/** Whether this level of WAL leaves out what backups and standbys need. */
export function isMinimal(level: unknown): boolean {
  return String(level).toLowerCase() === "minimal";
}
