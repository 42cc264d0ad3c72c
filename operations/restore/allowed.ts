import { requirePermission } from "../permission.ts";

/**
 * Refuses a restore in production that the stack's config does not allow for now.
 *
 * @param until Value of the setting `allowRestoreUntil`; empty: it is not set.
 * @throws UserError that says how to allow it.
 */
export function requireRestoreAllowed(environment: string, until: string, now = new Date()): void {
  if (environment !== "production") return;
  const what = "production is not restored in place";
  requirePermission({ what, setting: "allowRestoreUntil", until }, now);
}
