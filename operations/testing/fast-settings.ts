import type { ParameterValue } from "../postgresql-conf.ts";
import { UserError } from "../user-error.ts";

/**
 * Parameters that make a server faster by losing data at the next crash, as the manual says of data that may be lost:
 * https://www.postgresql.org/docs/16/non-durability.html
 */
export const DURABILITY = ["fsync", "full_page_writes", "synchronous_commit"] as const;

/** What a server gets whose data is in memory, and lost at a crash anyway. */
export const FAST_PARAMETERS: Readonly<Record<string, ParameterValue>> = Object.fromEntries(
  DURABILITY.map((name) => [name, "off"]),
);

/** Whether a switch is off, however it is written: PostgreSQL takes the beginning of a word, too. */
export function isOff(given: ParameterValue | undefined): boolean {
  return /^(off?|f|fa|fal|fals|false|no?|0)$/i.test(String(given));
}

/** @throws UserError where a server that is not for tests would lose data at a crash. */
export function requireDurable(
  environment: string,
  parameters: Readonly<Record<string, ParameterValue>>,
): void {
  const name = DURABILITY.find((one) => isOff(parameters[one]));
  if (environment === "test" || name === undefined) return;
  throw new UserError(
    `${name} is off, and the server is for ${environment}: a crash would lose data, which test stacks alone may`,
  );
}
