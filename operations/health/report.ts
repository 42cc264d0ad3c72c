/** How one check, or all of them together, ended. `warning` asks for attention, `failed` for action now. */
export type HealthStatus = "ok" | "warning" | "failed";

/** What one check found, as its evaluation says. */
export interface Finding {
  readonly status: HealthStatus | "not applicable";
  /** One line for people; names what would mend it where that is known. */
  readonly message: string;
  /** The number or text that was judged, in the unit that the check's documentation names. */
  readonly value?: number | string;
}

/** One check in a report. */
export interface HealthCheckResult extends Finding {
  readonly name: string;
  readonly durationMilliseconds: number;
}

/** Room on the file system of the data directory, in bytes. */
export interface DiskUse {
  readonly totalBytes: number;
  readonly usedBytes: number;
  /** What the server may still write; less than total minus used where blocks are reserved. */
  readonly freeBytes: number;
}

/** Result of `checkHealth`. */
export interface HealthReport {
  readonly stack: string;
  /** When the check began, ISO 8601 in UTC. */
  readonly at: string;
  /** The worst of all checks. */
  readonly status: HealthStatus;
  /** For example `16.14`; undefined when the server did not answer. */
  readonly serverVersion: string | undefined;
  /** Undefined when it could not be measured. */
  readonly disk: DiskUse | undefined;
  readonly durationMilliseconds: number;
  readonly checks: readonly HealthCheckResult[];
}

/** The worst status of several; `ok` of none. */
export function worstStatus(findings: readonly Pick<Finding, "status">[]): HealthStatus {
  if (findings.some(({ status }) => status === "failed")) return "failed";
  return findings.some(({ status }) => status === "warning") ? "warning" : "ok";
}

/** A number of seconds for people, in its largest fitting unit: `3 hours`. */
export function formatSeconds(seconds: number): string {
  const units: readonly [number, string][] = [
    [86_400, "day"],
    [3_600, "hour"],
    [60, "minute"],
  ];
  for (const [length, name] of units) {
    if (seconds < length) continue;
    const count = Math.floor(seconds / length);
    return `${count} ${name}${count === 1 ? "" : "s"}`;
  }
  return `${Math.max(0, Math.round(seconds))} s`;
}
