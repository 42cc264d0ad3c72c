import type { Plugin } from "vitest/config";
import type { Vitest } from "vitest/node";

/** One Ctrl-C can come twice: to the whole process group, and handed on by the program that started this one. */
const SAME_MILLISECONDS = 300;
const SIGNAL_NUMBERS = { SIGINT: 2, SIGTERM: 15 } as const;

/**
 * A run that is told to end puts away what its tests have made: the test that is running ends, no other begins, and what comes
 * after each test and file is done. A second signal ends it at once. Vitest of itself ends at once by the first.
 */
export function endInOrder(): Plugin {
  return {
    name: "end-in-order",
    configureVitest: ({ vitest }: { vitest: Vitest }) => {
      let first = Number.POSITIVE_INFINITY;
      for (const [signal, number] of Object.entries(SIGNAL_NUMBERS)) {
        process.removeAllListeners(signal);
        process.on(signal, () => {
          if (first === Number.POSITIVE_INFINITY) {
            first = performance.now();
            console.error("\nEnding the tests and putting away what they made; once more to end at once");
            void vitest.cancelCurrentRun("keyboard-input");
          } else if (performance.now() - first > SAME_MILLISECONDS) process.exit(128 + number);
        });
      }
    },
  };
}
