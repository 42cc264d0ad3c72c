import { HEARTBEAT_FILE, type HeartbeatRecord } from "../../agent/schedule/heartbeat.ts";
import { agentContainer } from "../agent.ts";
import { dockerEngine, findContainer } from "../docker.ts";
import { executeInContainer } from "../execute.ts";
import { sandboxContainer } from "../sandbox.ts";
import type { Target } from "../target.ts";
import type { HealthCheck } from "./check.ts";
import { type Finding, formatSeconds } from "./report.ts";

/** Without a sign of life for so long it is stuck; a machine at its limits may be late by some seconds. */
const SILENT_SECONDS = 60;
/** A loop that has nothing to do comes round each second. */
const STUCK_SECONDS = 300;
/** A schedule is looked at each second; a clock that was set may have moved it. */
const OVERDUE_SECONDS = 600;
/** Apart by more than this, schedules and points in time mean other moments than the operator's. */
const CLOCK_SECONDS = 120;

/** What was seen of the agent's container. */
export interface AgentView {
  readonly state: string;
  /** Seconds since it was started. */
  readonly upSeconds: number;
  readonly heartbeat: HeartbeatRecord | undefined;
  /** The clock in its container. */
  readonly clock: Date | undefined;
}

/** Whether the sidecar that archives, backs up and drills is there and at work, and its sandbox. Value: its container's state. */
export const agentAtWork: HealthCheck = {
  name: "agent",
  quick: false,
  async run({ backup, target, timeoutMilliseconds, now }) {
    if (backup === undefined) return { status: "not applicable", message: "no backups are scheduled" };
    const container = agentContainer(target.container);
    const found = await findContainer(dockerEngine(target.dockerHost), container);
    if (found === undefined) return evaluateAgent(undefined, container, now);
    const upSeconds = (now.getTime() - Date.parse(found.State.StartedAt)) / 1_000;
    const state = found.State.Paused ? "paused" : found.State.Status;
    if (state !== "running") {
      return evaluateAgent({ state, upSeconds, heartbeat: undefined, clock: undefined }, container, now);
    }
    const { stdout } = await executeInContainer(
      { ...target, container },
      {
        command: ["sh", "-c", 'date +%s; cat "$1" 2>/dev/null', "heartbeat", HEARTBEAT_FILE],
        timeoutMilliseconds,
      },
    );
    const [seconds = "", ...text] = stdout.split("\n");
    const clock = new Date(Number(seconds) * 1_000);
    const view = { state, upSeconds, heartbeat: parsed(text.join("\n")), clock };
    const agent = evaluateAgent(view, container, now);
    return agent.status === "ok" ? ((await sandboxAway(target)) ?? agent) : agent;
  },
};

/** What is wrong with the sandbox; undefined: it runs. */
async function sandboxAway({ dockerHost, container }: Target): Promise<Finding | undefined> {
  const name = sandboxContainer(container);
  const state = (await findContainer(dockerEngine(dockerHost), name))?.State;
  if (state?.Running === true && !state.Paused) return undefined;
  const value = state === undefined ? "missing" : state.Paused ? "paused" : state.Status;
  const remedy = state === undefined ? "pulumi up --refresh creates it" : "pgstack start starts it";
  return {
    status: "failed",
    message: `container ${name} is ${value}: no drill and no verification runs; ${remedy}`,
    value,
  };
}

/** Judges the agent; undefined: there is no container. */
export function evaluateAgent(view: AgentView | undefined, container: string, now: Date): Finding {
  const failed = (message: string): Finding => ({
    status: "failed",
    message,
    value: view?.state ?? "missing",
  });
  if (view === undefined) {
    return failed(
      `container ${container} is missing: no log is archived, no backup is taken; pulumi up --refresh creates it`,
    );
  }
  const { state, upSeconds, heartbeat, clock } = view;
  if (state !== "running") {
    return failed(`container ${container} is ${state}: no backup is taken; pgstack start starts it`);
  }
  const value = state;
  const apart = clock === undefined ? 0 : Math.abs(clock.getTime() - now.getTime()) / 1_000;
  if (apart > CLOCK_SECONDS) {
    return {
      status: "warning",
      message: `its clock is ${formatSeconds(apart)} apart from this machine's`,
      value,
    };
  }
  const since = (time: string) => Math.max(0, ((clock ?? now).getTime() - Date.parse(time)) / 1_000);
  if (heartbeat === undefined || since(heartbeat.at) > SILENT_SECONDS) {
    if (upSeconds < SILENT_SECONDS) return { status: "ok", message: "it has just started", value };
    const silence = heartbeat === undefined ? upSeconds : since(heartbeat.at);
    return failed(`no sign of life for ${formatSeconds(silence)}: docker restart ${container}`);
  }
  const { task, looked, nextBackup } = heartbeat;
  if (task !== undefined) {
    return { status: "ok", message: `at work: ${task.name}, for ${formatSeconds(since(task.since))}`, value };
  }
  if (since(looked) > STUCK_SECONDS) {
    return failed(`stuck for ${formatSeconds(since(looked))}: docker restart ${container}, and see its log`);
  }
  if (nextBackup !== undefined && since(nextBackup) > OVERDUE_SECONDS) {
    return failed(
      `the backup that was due ${formatSeconds(since(nextBackup))} ago has not begun: see docker logs ${container}`,
    );
  }
  return { status: "ok", message: "waits for its schedule", value };
}

function parsed(text: string): HeartbeatRecord | undefined {
  try {
    return JSON.parse(text) as HeartbeatRecord;
  } catch {
    return undefined;
  }
}
