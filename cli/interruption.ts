import { EXIT, Interrupted } from "./exit-codes.ts";

let interrupted: AbortController | undefined;
let departed: AbortController | undefined;

/** One Ctrl-C can come twice: to the whole process group, and handed on by the program that started this one. */
const SAME_MILLISECONDS = 300;

/**
 * Ctrl-C ends the process at once, unless a command asked to end by itself; a second Ctrl-C always does. So does a
 * reader who has left, as `head` does when it has seen enough.
 */
export function watchInterruption(): void {
  let first = Number.POSITIVE_INFINITY;
  process.on("SIGINT", () => {
    if (interrupted === undefined) process.exit(EXIT.interrupted);
    if (!interrupted.signal.aborted) {
      first = performance.now();
      interrupted.abort(new Interrupted("interrupted"));
    } else if (performance.now() - first > SAME_MILLISECONDS) process.exit(EXIT.interrupted);
  });
  for (const stream of [process.stdout, process.stderr]) {
    stream.on("error", ({ code }: NodeJS.ErrnoException) => {
      if (departed !== undefined) departed.abort();
      else process.exit(code === "EPIPE" ? EXIT.ok : EXIT.failed);
    });
  }
}

/** From now on Ctrl-C only sets this signal off: for commands that have something to put in order first. */
export function interruptionSignal(): AbortSignal {
  interrupted ??= new AbortController();
  return interrupted.signal;
}

/** From now on the user's leaving (SIGTERM, a closed terminal, a broken pipe) only sets this signal off. */
export function departureSignal(): AbortSignal {
  if (departed === undefined) {
    const controller = new AbortController();
    departed = controller;
    for (const signal of ["SIGTERM", "SIGHUP"] as const) process.on(signal, () => controller.abort());
  }
  return departed.signal;
}
