import { describe, expect, test } from "vitest";
import { type AgentView, evaluateAgent } from "../../operations/health/agent-at-work.ts";

const NOW = new Date("2026-03-01T12:00:00Z");
const ago = (seconds: number) => new Date(NOW.getTime() - seconds * 1_000).toISOString();
const ALIVE: AgentView = {
  state: "running",
  upSeconds: 3_600,
  heartbeat: { at: ago(2), looked: ago(2), nextBackup: ago(-3_600) },
  clock: NOW,
};

describe("the agent in a health report", () => {
  test.each<[string, AgentView | undefined, string, RegExp]>([
    ["that waits", ALIVE, "ok", /waits for its schedule/],
    ["that has just started", { ...ALIVE, upSeconds: 3, heartbeat: undefined }, "ok", /just started/],
    [
      "that has been at a backup for hours",
      {
        ...ALIVE,
        heartbeat: { at: ago(2), looked: ago(9_000), task: { name: "backup", since: ago(9_000) } },
      },
      "ok",
      /at work: backup, for 2 hours/,
    ],
    ["that is missing", undefined, "failed", /container x is missing: .*pulumi up --refresh/],
    ["that was killed", { ...ALIVE, state: "exited" }, "failed", /container x is exited: .*pgstack start/],
    ["that is paused", { ...ALIVE, state: "paused" }, "failed", /is paused/],
    [
      "that is frozen",
      { ...ALIVE, heartbeat: { at: ago(90), looked: ago(90) } },
      "failed",
      /no sign of life for 1 minute/,
    ],
    ["that never gave a sign", { ...ALIVE, heartbeat: undefined }, "failed", /no sign of life for 1 hour/],
    [
      "whose loop hangs",
      { ...ALIVE, heartbeat: { at: ago(1), looked: ago(700) } },
      "failed",
      /stuck for 11 minutes/,
    ],
    [
      "whose schedule does not move",
      { ...ALIVE, heartbeat: { at: ago(1), looked: ago(1), nextBackup: ago(7_200) } },
      "failed",
      /due 2 hours ago has not begun/,
    ],
    ["whose clock is wrong", { ...ALIVE, clock: new Date(ago(-86_400)) }, "warning", /clock is 1 day apart/],
  ])("one %s", (_which, view, status, message) => {
    expect(evaluateAgent(view, "x", NOW)).toMatchObject({ status, message: expect.stringMatching(message) });
  });
});
