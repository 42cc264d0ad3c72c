import type { Context } from "./context.ts";
import { messageOf, Refusal } from "./failure.ts";

/**
 * Runs one operation for a caller that reads JSON lines: steps while it works, then its result or why it failed. The end
 * of the input means that the caller has gone away.
 *
 * @returns The exit code.
 */
export async function runForCaller(work: (context: Context) => Promise<unknown>): Promise<number> {
  const abort = new AbortController();
  const stop = () => abort.abort(new Refusal("interrupted"));
  process.stdin.on("end", stop).on("error", stop).resume();
  process.once("SIGTERM", stop);
  process.once("SIGINT", stop);
  const context: Context = {
    signal: abort.signal,
    step: (text, fraction) => tell({ event: "step", text, ...(fraction === undefined ? {} : { fraction }) }),
  };
  try {
    await tell({ event: "result", value: (await work(context)) ?? null });
    return 0;
  } catch (error) {
    if (abort.signal.aborted) return 130;
    const kind = error instanceof Refusal ? "user" : "internal";
    await tell({ event: "error", kind, message: messageOf(error) });
    return 1;
  }
}

function tell(event: object): Promise<void> {
  return new Promise((resolve) => process.stdout.write(`${JSON.stringify(event)}\n`, () => resolve()));
}
