import { appendFile, mkdir, readFile, rename, stat } from "node:fs/promises";
import { join } from "node:path";
import type { AgentConfiguration } from "../configuration.ts";
import { writeWhole } from "../files.ts";
import type { Remembered } from "./due.ts";

/** The schedules that the agent keeps. */
export type Task = "backup" | "drill";

/** What one scheduled run came to. */
export interface RunRecord {
  readonly task: Task;
  readonly at: string;
  readonly seconds: number;
  readonly result: "ok" | "failed";
  readonly message: string;
  /** What failed is not tried again before the next run is due. */
  readonly final?: true;
}

export type ScheduleState = Readonly<Partial<Record<Task, Remembered>>>;

/** The log of runs begins anew at this size; the one before is kept. */
const LARGEST_LOG_BYTES = 1024 ** 2;

export async function readState(configuration: AgentConfiguration): Promise<ScheduleState> {
  return readFile(file(configuration, "schedule.json"), "utf8")
    .then((text) => JSON.parse(text) as ScheduleState)
    .catch(() => ({}));
}

export async function writeState(configuration: AgentConfiguration, state: ScheduleState): Promise<void> {
  await writeWhole(file(configuration, "schedule.json"), `${JSON.stringify(state, undefined, 2)}\n`);
}

export async function recordRun(configuration: AgentConfiguration, record: RunRecord): Promise<void> {
  const path = file(configuration, "runs.log");
  await mkdir(join(configuration.backupDirectory, "state"), { recursive: true, mode: 0o700 });
  const size = await stat(path).then(
    (found) => found.size,
    () => 0,
  );
  if (size > LARGEST_LOG_BYTES) await rename(path, `${path}.1`);
  await appendFile(path, `${JSON.stringify(record)}\n`, { mode: 0o644 });
}

/** The last runs, the oldest first. */
export async function lastRuns(configuration: AgentConfiguration, count: number): Promise<RunRecord[]> {
  const text = await readFile(file(configuration, "runs.log"), "utf8").catch(() => "");
  return text
    .split("\n")
    .filter((line) => line !== "")
    .slice(-count)
    .flatMap((line) => {
      try {
        return [JSON.parse(line) as RunRecord];
      } catch {
        // A line that a power cut left torn.
        return [];
      }
    });
}

function file({ backupDirectory }: AgentConfiguration, name: string): string {
  return join(backupDirectory, "state", name);
}
