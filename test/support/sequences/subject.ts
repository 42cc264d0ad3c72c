import { setTimeout as delay } from "node:timers/promises";
import type Docker from "dockerode";
import type { Client } from "pg";
import type { AgentStatus } from "../../../agent/status.ts";
import type { RecoveryPoint } from "../../../agent/stream/recovery-point.ts";
import { agentContainer, callAgent } from "../../../operations/agent.ts";
import { dockerEngine } from "../../../operations/docker.ts";
import { waitUntilReady } from "../../../operations/readiness.ts";
import { beginChain } from "../../../operations/restore/chain.ts";
import { proveRestored } from "../../../operations/restore/prove.ts";
import { type RecoveryTarget, restoreInPlace } from "../../../operations/restore.ts";
import { queryAsSuperuser, runAsSuperuser } from "../../../operations/superuser.ts";
import { LABEL_PROJECT, LABEL_STACK } from "../../../operations/target.ts";
import { untilFirstBackup } from "../first-backup.ts";
import type { Ended, RunOptions } from "../project.ts";
import { LiveStack } from "../security/live-stack.ts";
import { inside, smallVolume } from "../small-volume.ts";
import { removeVolumeQuietly, uniqueName } from "../volumes.ts";
import type { Loss, Victim } from "./step.ts";

/** Room for the cluster, those that restores keep, and one that is made. */
const VOLUME = "1200m";
/** A run of all sequences takes hours. */
const VOLUME_SECONDS = 86_400;
const SETTINGS = { backup: true, ballastMegabytes: 32 };
/** What the loss of the host may cost, as docs/backup.md says. */
export const RECOVERY_POINT_SECONDS = 2;
const PATIENCE_SECONDS = 120;
const RETRY_MILLISECONDS = 50;

/** Told of each row that a client asked for. */
export type OnRow = (row: { readonly id: number; readonly acknowledged: boolean }) => void;

/** A stack on a small volume, and all that sequences do to one. */
export class Subject {
  readonly #stack: LiveStack;
  readonly #holder: Docker.Container;
  readonly #docker = dockerEngine();
  #nextId = 1;

  private constructor(stack: LiveStack, holder: Docker.Container) {
    this.#stack = stack;
    this.#holder = holder;
  }

  /** A new stack, which has backed itself up. */
  static async bringUp(): Promise<Subject> {
    const name = uniqueName("sequences");
    let holder: Docker.Container | undefined;
    let stack: LiveStack | undefined;
    try {
      stack = await LiveStack.bringUp(SETTINGS, async (project) => {
        const labels = { [LABEL_STACK]: project.stack, [LABEL_PROJECT]: "pgstack" };
        holder = await smallVolume(name, VOLUME, { labels, seconds: VOLUME_SECONDS });
        return { dataVolumeName: name, adoptDataVolume: true };
      });
      if (holder === undefined) throw new Error("the volume was not made");
      const subject = new Subject(stack, holder);
      await stack.write("CREATE TABLE public.rows (id bigint PRIMARY KEY);");
      await untilFirstBackup(stack.target);
      return subject;
    } catch (error) {
      await holder?.remove({ force: true, v: true });
      await stack?.project.remove();
      await removeVolumeQuietly(name);
      throw error;
    }
  }

  async remove(): Promise<void> {
    await this.#holder.remove({ force: true, v: true });
    await this.#stack.project.remove();
  }

  /** Has the table empty. */
  async clear(): Promise<void> {
    await this.#stack.write("TRUNCATE public.rows;");
  }

  /** Commits rows one by one; one that fails is not tried again, the next one is by another session. */
  async write(count: number, onRow: OnRow): Promise<void> {
    let client: Client | undefined;
    for (let left = count; left > 0; left -= 1) {
      client ??= await this.#session();
      const id = this.#nextId++;
      try {
        await client.query(`INSERT INTO public.rows VALUES (${id})`);
        onRow({ id, acknowledged: true });
      } catch {
        onRow({ id, acknowledged: false });
        await client.end().catch(() => {});
        client = undefined;
      }
    }
    await client?.end();
  }

  /** The ids that are there. */
  async rows(): Promise<number[]> {
    const { target } = this.#stack;
    const sql = "SELECT id::int AS id FROM public.rows ORDER BY id";
    return (await queryAsSuperuser<{ id: number }>(target, sql, { database: target.database })).map(
      ({ id }) => id,
    );
  }

  /** The server's present time, behind all that was committed. */
  async time(): Promise<string> {
    const sql = `to_char(clock_timestamp() AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"')`;
    return (await this.#stack.value(sql)) ?? "";
  }

  /** Ends containers by SIGKILL; what they held is what was written. */
  async kill(victim: Victim): Promise<void> {
    // One that Docker is starting again cannot be killed for a moment, and one that has ended need not.
    await Promise.all(
      this.#named(victim).map((name) =>
        this.#docker
          .getContainer(name)
          .kill()
          .catch(() => {}),
      ),
    );
  }

  /** Starts what was killed, and waits until the server answers. */
  async start(victim: Victim): Promise<void> {
    for (const name of this.#named(victim)) await this.#docker.getContainer(name).start();
    await waitUntilReady(this.#stack.target, { timeoutSeconds: PATIENCE_SECONDS });
  }

  /** Waits until what was committed by now is in the backup place. */
  async untilReceived(): Promise<void> {
    let last: unknown;
    for (const deadline = performance.now() + PATIENCE_SECONDS * 1_000; performance.now() < deadline; ) {
      try {
        const { seconds } = await callAgent<RecoveryPoint>(this.#stack.target, "recovery-point");
        if (seconds < RECOVERY_POINT_SECONDS) return;
        last = `${seconds} s`;
      } catch (error) {
        last = error;
      }
      await delay(RETRY_MILLISECONDS);
    }
    throw new Error(`commits are not received after ${PATIENCE_SECONDS} s: ${last}`);
  }

  /** What a server needs is gone; of what was killed the agent is started again. */
  async lose(what: Loss): Promise<void> {
    await this.kill(what === "data" ? "server" : "both");
    await inside(
      this.#holder,
      what === "volume" || what === "disk"
        ? "find /data -mindepth 1 -delete"
        : "rm -r /data/current/base /data/current/pg_wal /data/current/global/pg_control",
    );
    if (what === "disk") return await this.start("both");
    if (what !== "data")
      await this.#docker.getContainer(agentContainer(this.#stack.target.container)).start();
  }

  /** Fills the data volume until the server ends for want of room, and gives the room back. */
  async fill(whileFull: () => Promise<void>): Promise<void> {
    await inside(this.#holder, "cat /dev/zero >/data/filler 2>/dev/null");
    try {
      const log =
        "SELECT pg_logical_emit_message(false, 'fill', repeat('x', 1000000)) FROM generate_series(1, 300)";
      const failed = await runAsSuperuser(this.#stack.target, `${log};`).then(
        () => false,
        () => true,
      );
      if (!failed) throw new Error("the data volume was not filled");
      await whileFull();
    } finally {
      await inside(this.#holder, "rm /data/filler");
    }
    await this.#docker.getContainer(this.#stack.target.container).restart();
    await waitUntilReady(this.#stack.target, { timeoutSeconds: PATIENCE_SECONDS });
  }

  /** Runs a command of the stack's; it must succeed. @returns What it printed. */
  async pgstack(...words: string[]): Promise<string> {
    const ended = await this.#stack.project.pgstack(words);
    if (ended.code !== 0)
      throw new Error(`pgstack ${words.join(" ")}: exit code ${ended.code}\n${ended.output}`);
    return ended.stdout;
  }

  /** What `pgstack restore` does, without the `up` that follows it: many restores take a tenth of the time so. */
  async restore(wanted: RecoveryTarget): Promise<void> {
    const { target } = this.#stack;
    const roles = (["administrator", "application", "readonly"] as const).map(
      (kind) => this.#stack.credential(kind).role,
    );
    await restoreInPlace(target, wanted, {
      confirm: async () => true,
      prove: () => proveRestored(target, roles),
    });
    await beginChain(target, { takenToo: true });
  }

  /** Runs a command of the stack's, however it ends. */
  try(words: readonly string[], options?: RunOptions): Promise<Ended> {
    return this.#stack.project.pgstack(words, options);
  }

  async up(): Promise<void> {
    await this.#stack.up();
  }

  /** How the agent sees the backups. */
  status(): Promise<AgentStatus> {
    return callAgent<AgentStatus>(this.#stack.target, "status");
  }

  #named(victim: Victim): string[] {
    const { container } = this.#stack.target;
    return [
      ...(victim === "agent" ? [] : [container]),
      ...(victim === "server" ? [] : [agentContainer(container)]),
    ];
  }

  async #session(): Promise<Client> {
    let last: unknown;
    for (const deadline = performance.now() + PATIENCE_SECONDS * 1_000; performance.now() < deadline; ) {
      try {
        return await this.#stack.session("application", { connectTimeoutMilliseconds: 2_000 });
      } catch (error) {
        last = error;
        await delay(RETRY_MILLISECONDS);
      }
    }
    throw new Error(`no session after ${PATIENCE_SECONDS} s`, { cause: last });
  }
}
