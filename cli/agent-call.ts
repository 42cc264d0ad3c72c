import { interruptionSignal } from "./interruption.ts";
import { withProgress } from "./progress.ts";

/** One operation of the agent, as a command asks for it. */
export interface AgentOperation<Result> {
  /** The agent's name of it. */
  readonly operation: string;
  /** The audit log's name of it. Default: the agent's. */
  readonly recordedAs?: string;
  readonly parameters?: Readonly<Record<string, unknown>>;
  /** What of the result the audit log has, beside the parameters. */
  readonly outcome?: (result: Result) => Readonly<Record<string, unknown>>;
}

/** A scheduled backup may be at work; whoever waits sees it, and may end it by Ctrl-C. */
const PATIENCE_SECONDS = 3_600;

/** Has the agent of a stack carry out an operation: recorded, with its steps shown, ended by Ctrl-C. */
export async function callStackAgent<Result>(
  stack: string,
  { operation, recordedAs = operation, parameters = {}, outcome }: AgentOperation<Result>,
): Promise<Result> {
  const { openStack } = await import("./stack.ts");
  const { audited } = await import("../operations/audit.ts");
  const { callAgent } = await import("../operations/agent.ts");
  const { target, logsDirectory } = await openStack(stack);
  const signal = interruptionSignal();
  const record: Record<string, unknown> = { ...parameters };
  return audited({ logsDirectory, stack: target.stack }, recordedAs, record, async () => {
    const result = await withProgress((onStep) =>
      callAgent<Result>(
        target,
        operation,
        { ...parameters, waitSeconds: PATIENCE_SECONDS },
        { onStep, signal },
      ),
    );
    Object.assign(record, outcome?.(result));
    return result;
  });
}
