import { UserError } from "./user-error.ts";

/** The longest that a permission may last: it is for one time. */
const LONGEST_HOURS = 24;

/** What production does with permission for one time alone. */
export interface Permission {
  /** In words that go on with "without permission", such as `production is not destroyed`. */
  readonly what: string;
  /** The setting that permits it, as a time at most a day ahead. */
  readonly setting: string;
  /** Its value; empty: it is not set. */
  readonly until: string;
}

/** Whether a permission holds at a moment: it has not ended, and ends within a day. */
export function isPermitted(until: string, now = new Date()): boolean {
  const end = Date.parse(until);
  return end > now.getTime() && end <= latest(now);
}

/** @throws UserError that says how to permit it, where it is not permitted now. */
export function requirePermission({ what, setting, until }: Permission, now = new Date()): void {
  if (isPermitted(until, now)) return;
  const state =
    until === ""
      ? "is not set"
      : Date.parse(until) > latest(now)
        ? `is ${until}, more than ${LONGEST_HOURS} hours from now`
        : `was ${until}`;
  const example = new Date(now.getTime() + 3_600_000).toISOString().replace(/\.\d+/, "");
  throw new UserError(
    `${what} without permission for this one time, and pgstack:${setting} ${state}: pulumi config set pgstack:${setting} ${example}`,
  );
}

function latest(now: Date): number {
  return now.getTime() + LONGEST_HOURS * 3_600_000;
}
