import { setTimeout as delay } from "node:timers/promises";
import type { Client } from "pg";
import { lsnNumber, segmentNumber, segmentStart } from "../../agent/physical/segments.ts";
import { agentContainer } from "../../operations/agent.ts";
import { dockerEngine } from "../../operations/docker.ts";
import { waitUntilReady } from "../../operations/readiness.ts";
import { runAsSuperuser } from "../../operations/superuser.ts";
import type { TestProject } from "../../test/support/project.ts";
import { LiveStack } from "../../test/support/security/live-stack.ts";
import { median } from "../stopwatch.ts";

const RUNS = 20;
const WRITERS = 4;
const LEAST_LOAD_MILLISECONDS = 3_000;
/** The kill comes at another moment of the agent's second each time. */
const SPREAD_MILLISECONDS = 2_000;

/** A commit that the server has acknowledged. */
interface Acknowledged {
  readonly key: string;
  readonly at: number;
  /** The log up to here holds it. */
  readonly lsn: bigint;
}

/**
 * Kills every container of the stack at once while clients write. What the backup place holds right then is compared with what
 * was acknowledged: the oldest commit that it lacks is the recovery point when the host is lost. Then the containers are started,
 * and what was acknowledged is compared with what is there, as when the data volume survives.
 */
export async function measureHostKill(project: TestProject): Promise<string[]> {
  const stack = await LiveStack.of(project);
  await runAsSuperuser(stack.target, "CREATE TABLE IF NOT EXISTS public.killed (key text PRIMARY KEY);", {
    ...{ database: "app", role: "administrator" },
  });
  const points: number[] = [];
  let acknowledged = 0;
  let lost = 0;
  for (let run = 1; run <= RUNS; run += 1) {
    console.error(`kill ${run} of ${RUNS}`);
    const found = await killOnce(stack, run);
    points.push(found.seconds);
    acknowledged += found.acknowledged;
    lost += found.lost;
  }
  return [
    `${RUNS} kills of all containers under load by ${WRITERS} writers: recovery point in the middle ${median(points).toFixed(2)} s, worst ${Math.max(...points).toFixed(2)} s (aim: 2 s)`,
    `  of ${acknowledged} acknowledged commits ${lost} lost where the data volume survives (aim: 0)`,
  ];
}

async function killOnce(
  stack: LiveStack,
  run: number,
): Promise<{ seconds: number; acknowledged: number; lost: number }> {
  const stop = new AbortController();
  const sessions = await Promise.all(Array.from({ length: WRITERS }, () => stack.session("application")));
  const writing = sessions.map((session, writer) => write(session, `${run}/${writer}`, stop.signal));
  await delay(LEAST_LOAD_MILLISECONDS + Math.random() * SPREAD_MILLISECONDS);
  const containers = [stack.target.container, agentContainer(stack.target.container)].map((name) =>
    dockerEngine().getContainer(name),
  );
  const killedAt = performance.now();
  await Promise.all(containers.map((container) => container.kill({ signal: "SIGKILL" })));
  stop.abort();
  const commits = (await Promise.all(writing)).flat();
  const received = await receivedUntil(stack);
  const lacking = commits.filter(({ lsn }) => lsn > received);
  const oldest = Math.min(killedAt, ...lacking.map(({ at }) => at));
  await Promise.all(containers.map((container) => container.start()));
  await waitUntilReady(stack.target, { timeoutSeconds: 120 });
  const session = await stack.session("readonly");
  const { rows } = await session.query<{ key: string }>("SELECT key FROM public.killed WHERE key LIKE $1", [
    `${run}/%`,
  ]);
  await session.end();
  const there = new Set(rows.map(({ key }) => key));
  return {
    seconds: (killedAt - oldest) / 1_000,
    acknowledged: commits.length,
    lost: commits.filter(({ key }) => !there.has(key)).length,
  };
}

/** Writes until the connection ends; each commit with a place in the log that lies behind it. */
async function write(session: Client, name: string, signal: AbortSignal): Promise<Acknowledged[]> {
  const commits: Acknowledged[] = [];
  try {
    for (let n = 1; !signal.aborted; n += 1) {
      const key = `${name}/${n}`;
      await session.query("INSERT INTO public.killed VALUES ($1)", [key]);
      const at = performance.now();
      const { rows } = await session.query<{ lsn: string }>("SELECT pg_current_wal_flush_lsn()::text AS lsn");
      commits.push({ key, at, lsn: lsnNumber(rows[0]?.lsn ?? "0/0") });
    }
  } catch {
    // That is the kill.
  }
  return commits;
}

/** How far the log in the backup place goes, with nothing running: the end of its last received file or of the archive. */
async function receivedUntil(stack: LiveStack): Promise<bigint> {
  const { Mounts } = await dockerEngine().getContainer(agentContainer(stack.target.container)).inspect();
  const volume = Mounts.find(({ Destination }) => Destination === "/backups")?.Name ?? "";
  const container = await dockerEngine().createContainer({
    Image: stack.outputs.deployed.image.imageId,
    User: "postgres",
    Entrypoint: [
      "sh",
      "-c",
      "find /backups/stream /backups/pgbackrest/archive -type f -exec stat -c '%n %s' {} +",
    ],
    Cmd: [],
    HostConfig: { NetworkMode: "none", Binds: [`${volume}:/backups:ro`] },
    Tty: true,
  });
  try {
    await container.start();
    await container.wait();
    const text = (await container.logs({ stdout: true, follow: false })).toString("utf8");
    const ends = [...text.matchAll(/\/([0-9A-F]{24})(-\S+)? (\d+)\r?$/gm)].map(
      ([, name = "", stored, size]) => {
        const number = segmentNumber(name);
        return stored === undefined ? segmentStart(number) + BigInt(size ?? 0) : segmentStart(number + 1);
      },
    );
    return ends.reduce((most, end) => (end > most ? end : most), 0n);
  } finally {
    await container.remove({ force: true, v: true });
  }
}
