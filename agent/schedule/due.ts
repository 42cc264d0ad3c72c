import { Cron } from "croner";

/** What is remembered of one schedule over restarts. */
export interface Remembered {
  /** When the last run that came to its end began; ISO 8601. */
  readonly last?: string;
  /** When the last attempt failed, and how many have since the last success. */
  readonly failedAt?: string;
  readonly failures?: number;
}

/** A clock that went back by more than this makes what is remembered be of the future. */
const CLOCK_SLACK_MILLISECONDS = 5 * 60_000;
const FIRST_RETRY_MILLISECONDS = 5 * 60_000;
const LONGEST_RETRY_MILLISECONDS = 60 * 60_000;

/**
 * When the next run is due. It may be in the past: runs that were missed are made up for by one. A schedule that never
 * ran is due at once.
 *
 * @param cronLine Five fields, in UTC.
 */
export function nextDue(cronLine: string, remembered: Remembered, now: Date): Date {
  const { failedAt, failures = 0 } = remembered;
  const last = past(remembered.last, now);
  const failed = past(failedAt, now);
  if (failed !== undefined && (last === undefined || failed > last)) {
    const pause = Math.min(FIRST_RETRY_MILLISECONDS * 2 ** (failures - 1), LONGEST_RETRY_MILLISECONDS);
    return new Date(failed.getTime() + pause);
  }
  if (last === undefined) return now;
  return new Cron(cronLine, { mode: "5-part", timezone: "UTC", paused: true }).nextRun(last) ?? now;
}

/** A remembered time; one of the future counts as now, so that a clock that was put right skips no day. */
function past(time: string | undefined, now: Date): Date | undefined {
  if (time === undefined) return undefined;
  const at = new Date(time);
  return at.getTime() > now.getTime() + CLOCK_SLACK_MILLISECONDS ? now : at;
}
