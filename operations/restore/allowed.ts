import { UserError } from "../user-error.ts";

/** The longest that a permission may last: it is for one time. */
const LONGEST_HOURS = 24;

/**
 * Refuses a restore in production that the stack's config does not allow for now.
 *
 * @param until Value of the setting `allowRestoreUntil`; empty: it is not set.
 * @throws UserError that says how to allow it.
 */
export function requireRestoreAllowed(environment: string, until: string, now = new Date()): void {
  if (environment !== "production") return;
  const end = Date.parse(until);
  const latest = now.getTime() + LONGEST_HOURS * 3_600_000;
  if (end > now.getTime() && end <= latest) return;
  const state =
    until === ""
      ? "is not set"
      : end > latest
        ? `is ${until}, more than ${LONGEST_HOURS} hours from now`
        : `was ${until}`;
  const example = new Date(now.getTime() + 3_600_000).toISOString().replace(/\.\d+/, "");
  throw new UserError(
    `production is not restored in place without permission for this one time, and pgstack:allowRestoreUntil ${state}: pulumi config set pgstack:allowRestoreUntil ${example}`,
  );
}
