import { changeLockHolder, LOCK_NOT_AVAILABLE, TAKE_CHANGE_LOCK } from "./change-lock.ts";
import { runAsSuperuser, SqlError } from "./superuser.ts";
import type { Target } from "./target.ts";

/** One difference between what is declared and what is, and the statement that removes it. */
export interface Change {
  /** A few words without secrets, for previews and drift reports. */
  readonly description: string;
  /** May hold a password's verifier: for the server only. */
  readonly sql: string;
}

/** 10,000 tables and their grants need some seconds. */
const TIMEOUT_MILLISECONDS = 600_000;

/**
 * Carries out changes in one transaction.
 *
 * @throws SqlError that names the change which failed; nothing is changed then.
 */
export async function applyChanges(
  target: Target,
  changes: readonly Change[],
  database: string,
): Promise<void> {
  if (changes.length === 0) return;
  const statements = changes.map((change) => `${change.sql};\n`);
  try {
    await runAsSuperuser(target, TAKE_CHANGE_LOCK + statements.join(""), {
      database,
      singleTransaction: true,
      timeoutMilliseconds: TIMEOUT_MILLISECONDS,
    });
  } catch (error) {
    if (!(error instanceof SqlError)) throw error;
    if (error.code === LOCK_NOT_AVAILABLE && error.line === 1) {
      const holder = (await changeLockHolder(target)) ?? "it has ended since";
      throw new SqlError(
        `another run is changing roles or grants (${holder}): try again`,
        error.code,
        undefined,
      );
    }
    const failed = changeAt(changes, statements, error.line);
    if (failed === undefined) throw error;
    throw new SqlError(`${failed.description}: ${error.serverMessage}`, error.code, undefined);
  }
}

/** Names may hold line breaks, so the line of a statement is counted. */
function changeAt(changes: readonly Change[], statements: readonly string[], line: number | undefined) {
  let last = TAKE_CHANGE_LOCK.split("\n").length - 1;
  return changes.find((_, index) => {
    last += (statements[index] ?? "").split("\n").length - 1;
    return line !== undefined && line <= last;
  });
}
