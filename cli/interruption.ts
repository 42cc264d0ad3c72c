import { EXIT, Interrupted } from "./exit-codes.ts";

let controller: AbortController | undefined;

/** Ctrl-C ends the process at once, unless a command asked to end by itself; a second Ctrl-C always does. */
export function watchInterruption(): void {
  process.on("SIGINT", () => {
    if (controller === undefined || controller.signal.aborted) process.exit(EXIT.interrupted);
    controller.abort(new Interrupted("interrupted"));
  });
}

/** From now on Ctrl-C only sets this signal off: for commands that have something to put in order first. */
export function interruptionSignal(): AbortSignal {
  controller ??= new AbortController();
  return controller.signal;
}
