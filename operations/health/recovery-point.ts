import { setTimeout as delay } from "node:timers/promises";
import { lsnNumber } from "../../agent/physical/segments.ts";
import { MARK_FILE } from "../../agent/stream/mark.ts";
import { agentContainer } from "../agent.ts";
import { dockerEngine, findContainer } from "../docker.ts";
import { executeInContainer } from "../execute.ts";
import type { Target } from "../target.ts";
import { type HealthCheck, singleRow } from "./check.ts";
import { type Finding, formatSeconds, worstStatus } from "./report.ts";
import { type HealthThresholds, judge } from "./thresholds.ts";

/** What is streamed is behind by a second or two at most. */
const BEHIND_SECONDS = 10;
/** What has been committed just now is on its way for as long. */
const PATIENCE_MILLISECONDS = 2_000;
const POLL_MILLISECONDS = 200;
/** After it has started the agent may take as long until it receives. */
const STARTING_SECONDS = 60;

/** The place that the agent says is safe, where the file in the backup place has grown that far; when it last did. */
const SCRIPT = `{ read -r lsn && read -r bytes && read -r path; } 2>/dev/null <"$1" || exit 0
set -- $(stat -c '%s %Y' "$path" 2>/dev/null || echo 0 0)
[ "$1" -lt "$bytes" ] && lsn=0/0
echo "$lsn $(($(date +%s) - $2))"`;

/** How far the log is in the backup place. */
interface Received {
  readonly lsn: bigint;
  /** Seconds since something came; undefined: nothing has. */
  readonly seconds: number | undefined;
}

/**
 * What the loss of the host would cost now, measured: the place that the server has come to is looked for in the backup
 * place. Value: seconds.
 */
export const recoveryPoint: HealthCheck = {
  name: "recovery point",
  quick: false,
  async run({ target, backup, thresholds, session, timeoutMilliseconds, now }) {
    if (backup === undefined) return { status: "not applicable", message: "no backups are scheduled" };
    const container = agentContainer(target.container);
    const found = await findContainer(dockerEngine(target.dockerHost), container);
    if (found?.State.Running !== true || found.State.Paused)
      return { status: "not applicable", message: "not measured: the agent does not run" };
    const { lsn } = await singleRow<{ lsn: string }>(
      await session("administrator"),
      "select pg_current_wal_flush_lsn()::text as lsn",
    );
    const upSeconds = (now.getTime() - Date.parse(found.State.StartedAt)) / 1_000;
    const judged = (seconds: number) => evaluateRecoveryPoint({ seconds, upSeconds }, container, thresholds);
    const started = performance.now();
    for (;;) {
      const received = await lookAt({ ...target, container }, timeoutMilliseconds);
      const seconds = (performance.now() - started) / 1_000;
      if (received.lsn >= lsnNumber(lsn)) return judged(seconds);
      if (seconds * 1_000 > PATIENCE_MILLISECONDS)
        return judged(Math.max(seconds, received.seconds ?? Number.POSITIVE_INFINITY));
      await delay(POLL_MILLISECONDS);
    }
  },
};

async function lookAt(target: Target, timeoutMilliseconds: number): Promise<Received> {
  const { stdout } = await executeInContainer(target, {
    command: ["sh", "-c", SCRIPT, "received", MARK_FILE],
    timeoutMilliseconds,
  });
  const [lsn = "", seconds] = stdout.trim().split(" ");
  return lsn === "" ? { lsn: 0n, seconds: undefined } : { lsn: lsnNumber(lsn), seconds: Number(seconds) };
}

/**
 * Judges the age of the oldest commit that is not in the backup place.
 *
 * @param measured `seconds` is infinite where nothing of the log is there; `upSeconds`: how long the agent runs.
 */
export function evaluateRecoveryPoint(
  { seconds, upSeconds }: { readonly seconds: number; readonly upSeconds: number },
  container: string,
  { archiveLagSeconds }: Pick<HealthThresholds, "archiveLagSeconds">,
): Finding {
  const cause = `docker logs ${container} says why the log is not received`;
  if (seconds < BEHIND_SECONDS) {
    const message = `commits are in the backup place within ${seconds.toFixed(1)} s`;
    return { status: "ok", message, value: Math.round(seconds) };
  }
  if (upSeconds < STARTING_SECONDS) return { status: "ok", message: "the agent has just started" };
  if (!Number.isFinite(seconds)) {
    return { status: "warning", message: `nothing of the log has been received yet: ${cause}` };
  }
  const value = Math.round(seconds);
  const status = worstStatus([{ status: "warning" }, { status: judge(seconds, archiveLagSeconds) }]);
  const message = `commits of the last ${formatSeconds(value)} may not be in the backup place: ${cause}`;
  return { status, message, value };
}
