import { UserError } from "../operations/user-error.ts";

/** What `pgstack` ends with. */
export const EXIT = {
  /** Done; with `health`, also when a check only warns. */
  ok: 0,
  /** Failed, or what was asked about is unhealthy. */
  failed: 1,
  /** The command line is wrong; nothing was done. */
  usage: 2,
  /** There is no such stack, or nothing of it has been brought up yet. */
  notProvisioned: 3,
  /** The live world is not what the stack says; of `drift` alone. */
  drifted: 4,
  /** Ended by Ctrl-C: 128 and the signal's number, as shells count. */
  interrupted: 130,
} as const;

/** The exit codes as each help text ends with them. */
export const EXIT_CODES_HELP = `Exit codes:
  0    done
  1    failed, or unhealthy
  2    wrong usage: nothing was done
  3    no such stack, or not brought up yet
  130  interrupted`;

/** The command line is wrong. */
export class UsageError extends UserError {}

/** There is no such stack, or it was never brought up. */
export class NotProvisioned extends UserError {}

/** The stack's secrets are encrypted with another passphrase than this checkout has. */
export class WrongPassphrase extends UserError {}

/** The stack's state is damaged. */
export class UnreadableState extends UserError {}

/** Ctrl-C ended the command; nothing needs to be said. */
export class Interrupted extends Error {}

/** The exit code that an error calls for. */
export function exitCodeOf(error: unknown): number {
  if (error instanceof UsageError) return EXIT.usage;
  if (error instanceof NotProvisioned) return EXIT.notProvisioned;
  return error instanceof Interrupted ? EXIT.interrupted : EXIT.failed;
}
