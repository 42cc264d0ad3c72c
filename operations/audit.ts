import { access, constants, mkdir } from "node:fs/promises";
import { type AuditContext, appendAudit } from "./audit/append.ts";
import { checkStackName, headPath } from "./audit/files.ts";
import { errorLine, UserError } from "./user-error.ts";

export { type Anchored, type AuditAnchor, anchorAudit, auditPlace, readAnchors } from "./audit/anchor.ts";
export {
  type AuditContext,
  type AuditEntry,
  appendAudit,
  defaultOperator,
} from "./audit/append.ts";
export type { AuditRecord } from "./audit/record.ts";
export { type AuditVerification, type BadAuditRecord, verifyAudit } from "./audit/verify.ts";

/** {@link AuditContext}, and where to say that a record of failed work could not be written. */
export interface AuditedContext extends AuditContext {
  /** Told when work failed and its record could not be written either. Default: a process warning. */
  readonly onAuditFailure?: (error: Error) => void;
}

/**
 * Runs work that changes something and writes one audit record about it, whatever its end.
 *
 * - A log that can't be written is refused before the work: nothing is changed without a record.
 * - The work's own error is what the caller gets. If its record can't be written either, that is told aside.
 * - If the work is done and its record can't be written, the call fails: an unrecorded change is not a success.
 *
 * @param operation Verb and object as users say it, for example `rotate credential`.
 * @param parameters Key parameters; read when the work has ended, so the work may add what it learns.
 * @throws the work's error; UserError when the log can't be written.
 */
export async function audited<T>(
  context: AuditedContext,
  operation: string,
  parameters: Record<string, unknown>,
  work: () => Promise<T>,
): Promise<T> {
  await requireWritable(context);
  const started = performance.now();
  let value: T;
  try {
    value = await work();
  } catch (error) {
    const durationMilliseconds = performance.now() - started;
    const entry = {
      operation,
      parameters,
      result: "failed",
      error: errorLine(error),
      durationMilliseconds,
    } as const;
    await appendAudit(context, entry).catch((failure: unknown) => reportFailure(context, operation, failure));
    throw error;
  }
  const durationMilliseconds = performance.now() - started;
  try {
    await appendAudit(context, { operation, parameters, result: "ok", durationMilliseconds });
  } catch (failure) {
    throw new UserError(
      `${operation} of stack ${context.stack} is done, but its audit record could not be written to ` +
        `${context.logsDirectory}: ${errorLine(failure)}`,
      { cause: failure },
    );
  }
  return value;
}

async function requireWritable({ logsDirectory, stack }: AuditContext): Promise<void> {
  checkStackName(stack);
  try {
    await mkdir(logsDirectory, { recursive: true });
    await access(logsDirectory, constants.W_OK | constants.X_OK);
    await access(headPath(logsDirectory, stack), constants.R_OK).catch((error: unknown) => {
      if (!(error instanceof Error && "code" in error && error.code === "ENOENT")) throw error;
    });
  } catch (error) {
    throw new UserError(
      `logsDirectory: the audit log of stack ${stack} can't be written: ${errorLine(error)}`,
      {
        cause: error,
      },
    );
  }
}

function reportFailure(context: AuditedContext, operation: string, failure: unknown): void {
  const error = new Error(
    `the failure of ${operation} could not be recorded in ${context.logsDirectory}: ${errorLine(failure)}`,
    { cause: failure },
  );
  if (context.onAuditFailure === undefined) process.emitWarning(error);
  else context.onAuditFailure(error);
}
