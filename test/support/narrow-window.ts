import type { AgentConfiguration } from "../../agent/configuration.ts";
import { agentContainer } from "../../operations/agent.ts";
import { AGENT_MAIN } from "../../operations/agent-files.ts";
import { executeInContainer } from "../../operations/execute.ts";
import type { Target } from "../../operations/target.ts";

const DAY_SECONDS = 86_400;

/** Has the agent apply retention with a window for points in time of so many seconds, where the setting knows whole days. */
export async function pruneWithWindow(target: Target, seconds: number): Promise<void> {
  const text = await inAgent(target, ["cat", "/etc/pgstack/agent.json"]);
  const configuration = JSON.parse(text) as AgentConfiguration;
  const retention = { ...configuration.retention, pitrDays: seconds / DAY_SECONDS };
  // The agent ends with its input: a pipe that is open at both ends has none.
  const script = `printf %s "$1" > /tmp/narrow.json
    test -p /tmp/open || mkfifo /tmp/open
    PGSTACK_AGENT_CONFIGURATION=/tmp/narrow.json exec node ${AGENT_MAIN} run prune '{"waitSeconds":60}' <> /tmp/open`;
  const narrow = JSON.stringify({ ...configuration, retention });
  const said = await inAgent(target, ["sh", "-c", script, "prune", narrow]);
  if (!said.includes('"event":"result"')) throw new Error(said);
}

/** What a command prints in the agent's container. */
export async function inAgent(target: Target, command: readonly string[]): Promise<string> {
  const { exitCode, stdout, stderr } = await executeInContainer(
    { ...target, container: agentContainer(target.container) },
    { command: [...command] },
  );
  if (exitCode !== 0) throw new Error(stdout + stderr);
  return stdout;
}
