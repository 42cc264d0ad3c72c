import { expect, test } from "vitest";
import { LowerParameter, refuseLowerParameter } from "../../agent/restore/cluster.ts";

const logged = (text: string) => refuseLowerParameter({ log: async () => text });

test("L7 a recovery that needs more of a parameter says which and how much", async () => {
  const error = await logged(
    `2026-11-30 01:05:27.101 UTC [9] WARNING:  hot standby is not possible because of insufficient parameter settings
2026-11-30 01:05:27.101 UTC [9] DETAIL:  max_connections = 60 is a lower setting than on the primary server, where its value was 70.
2026-11-30 01:05:27.101 UTC [9] LOG:  recovery has paused
`,
  ).catch((caught: unknown) => caught);
  expect(error).toBeInstanceOf(LowerParameter);
  expect(error).toMatchObject({ parameter: "max_connections", value: 70 });
});

test("L7 a recovery that has paused at its target needs nothing", async () => {
  await logged(
    "LOG:  recovery stopping before commit of transaction 750\nLOG:  pausing at the end of recovery\n",
  );
});
