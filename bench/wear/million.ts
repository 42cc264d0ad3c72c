import type { DrillResult } from "../../agent/drill.ts";
import { segmentAt, segmentName } from "../../agent/physical/segments.ts";
import type { AgentStatus } from "../../agent/status.ts";
import { callAgent } from "../../operations/agent.ts";
import { dockerEngine } from "../../operations/docker.ts";
import { HELPER_MOUNT } from "../../operations/volume/helper.ts";
import { runOnVolume } from "../../operations/volume/run.ts";
import type { TestProject } from "../../test/support/project.ts";
import { LiveStack } from "../../test/support/security/live-stack.ts";
import { shell } from "../pgbench.ts";
import { median, secondsOf } from "../stopwatch.ts";
import { agentOf } from "./containers.ts";

const SEGMENTS = 1_000_000;
const LOOKS = 5;
/** As a stored segment is named. */
const SUFFIX = `-${"0".repeat(40)}.zst`;

/**
 * What `status` and a drill cost where a million segments lie between the oldest backup and the newest: the server's log is put on
 * by so many segments, and the archive filled with empty files of their names.
 */
export async function measureMillion(project: TestProject): Promise<string[]> {
  const stack = await LiveStack.of(project);
  const agent = agentOf(stack.target);
  const lsn = await shell(stack.target, "psql -Atc 'SELECT pg_current_wal_insert_lsn()' app");
  const first = segmentAt(lsn) + 1;
  await succeeding(project, ["shutdown"]);
  await putLogOn(stack, segmentName(1, first + SEGMENTS));
  await fill(stack, first);
  await succeeding(project, ["start"]);
  await callAgent(stack.target, "backup", { kind: "full", waitSeconds: 60 });
  await shell(agent, "rm -f /backups/state/archive-local.json");
  const firstLook = await secondsOf(() => look(stack));
  const looks: number[] = [];
  for (let run = 0; run < LOOKS; run += 1) looks.push(await secondsOf(() => look(stack)));
  const command = await secondsOf(async () => succeeding(project, ["status"]));
  const memory = await memoryOf(agent, "run status", () => look(stack));
  const drill = await memoryOf(agent, "run drill", async () => {
    const { result, message } = await callAgent<DrillResult>(stack.target, "drill", { waitSeconds: 60 });
    if (result !== "ok") throw new Error(message);
  });
  return [
    `${SEGMENTS} segments in the archive: status of the agent ${firstLook.toFixed(2)} s at the first look, then ${median(looks).toFixed(2)} s (aim: 1 s), ${memory} MB; pgstack status ${command.toFixed(2)} s; drill ${drill} MB (aim: 200 MB)`,
  ];
}

async function look(stack: LiveStack): Promise<void> {
  const { archive, problems } = await callAgent<AgentStatus>(stack.target, "status");
  if (archive === undefined || archive.gaps.length > 0)
    throw new Error(JSON.stringify({ gaps: archive?.gaps, problems }));
}

/** Has the server go on with a segment far ahead. */
async function putLogOn(stack: LiveStack, segment: string): Promise<void> {
  const { dataVolume, image } = stack.outputs.deployed;
  const script = `data=$(dirname "$(find ${HELPER_MOUNT} -path '*global/pg_control' | head -1)")/..
    PATH="$PATH:$(ls -d /usr/lib/postgresql/*/bin /usr/local/bin 2>/dev/null | tr '\\n' ':')" pg_resetwal -f -l ${segment} "$data"`;
  const options = { volume: dataVolume, image: image.imageId };
  const exitCode = await runOnVolume(dockerEngine(), options, ["sh", "-c", script]);
  if (exitCode !== 0) throw new Error(`pg_resetwal ended with ${exitCode}`);
}

/** Makes the names of a million segments, folder by folder. */
async function fill(stack: LiveStack, first: number): Promise<void> {
  const script = `
    const { mkdirSync, openSync, closeSync, readdirSync } = require("node:fs");
    const root = "/backups/pgbackrest/archive/main/" + readdirSync("/backups/pgbackrest/archive/main").find((name) => /^16-/.test(name));
    const hex = (value) => value.toString(16).toUpperCase().padStart(8, "0");
    for (let number = ${first}; number < ${first + SEGMENTS}; number += 1) {
      const folder = root + "/" + hex(1) + hex(Math.floor(number / 256));
      if (number === ${first} || number % 256 === 0) mkdirSync(folder, { recursive: true, mode: 0o750 });
      closeSync(openSync(folder + "/" + hex(1) + hex(Math.floor(number / 256)) + hex(number % 256) + "${SUFFIX}", "a"));
    }`;
  await shell(agentOf(stack.target), `node -e '${script}'`);
}

/** The most memory that the agent's program had while it did something, in MB. */
async function memoryOf(
  agent: ReturnType<typeof agentOf>,
  program: string,
  work: () => Promise<void>,
): Promise<number> {
  const flag = "/tmp/sampling";
  await shell(agent, `touch ${flag}`);
  const sampling = shell(
    agent,
    `while test -e ${flag}; do
       for p in /proc/[0-9]*; do
         if grep -qz node "$p/cmdline" 2>/dev/null && tr '\\0' ' ' < "$p/cmdline" | grep -q "${program}"; then grep VmHWM "$p/status"; fi
       done
       sleep 0.2
     done | awk '$2 > most { most = $2 } END { printf "%d", most / 1000 }'`,
  );
  try {
    await work();
  } finally {
    await shell(agent, `rm -f ${flag}`);
  }
  return Number(await sampling);
}

async function succeeding(project: TestProject, command: readonly string[]): Promise<void> {
  const ended = await project.pgstack(command);
  if (ended.code !== 0) throw new Error(`${command.join(" ")}: ${ended.output}`);
}
