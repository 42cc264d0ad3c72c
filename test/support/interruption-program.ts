import { exitCodeOf } from "../../cli/exit-codes.ts";
import { interruptionSignal, watchInterruption } from "../../cli/interruption.ts";

// Run by the tests of interruption: `at-once` has nothing to put in order; `in-order` ends by itself when it is told to;
// `stubborn` goes on, and has Ctrl-C handed on to it a second time by whoever started it.
const [, , word] = process.argv;

watchInterruption();
const signal = word === "at-once" ? undefined : interruptionSignal();
const goingOn = setInterval(() => {}, 1_000);
signal?.addEventListener("abort", () => {
  if (word === "stubborn") {
    process.emit("SIGINT");
    process.stdout.write("told\n");
    return;
  }
  clearInterval(goingOn);
  process.exitCode = exitCodeOf(signal.reason);
});
process.stdout.write("ready\n");
