import { defineConfig } from "vitest/config";
import { endInOrder } from "./test/interruption/end-in-order.ts";
import { UnitTestsLast } from "./test/order/unit-tests-last.ts";

const long = process.env["PGSTACK_TEST_SCHEDULE"] === "long";

export default defineConfig({
  plugins: [endInOrder()],
  test: {
    include: long ? ["test/long/**/*.test.ts"] : ["test/{unit,integration,faults,field}/**/*.test.ts"],
    testTimeout: 300_000,
    // A hook of a long test may have a program built first.
    hookTimeout: long ? 900_000 : 300_000,
    // Most look by a program in a container: without a pause that alone is a core's work.
    expect: { poll: { interval: 100 } },
    // Two at a time: each integration test has servers of its own, and the machine has two cores.
    maxWorkers: 2,
    sequence: { sequencer: UnitTestsLast },
    setupFiles: ["test/interruption/worker.ts"],
    allowOnly: false,
    passWithNoTests: false,
  },
});
