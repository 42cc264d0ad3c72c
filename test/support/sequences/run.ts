import type { BackupEntry } from "../../../agent/entry.ts";
import type { RecoveryTarget } from "../../../operations/restore.ts";
import { onSaying } from "../project.ts";
import { History, type Snapshot } from "./history.ts";
import { formatSequence, formatStep, type Kind, type Place, STAGES, type Step } from "./step.ts";
import { type OnRow, RECOVERY_POINT_SECONDS, type Subject } from "./subject.ts";

/** A backup that a step has taken. */
interface Taken {
  readonly id: string;
  readonly logical: boolean;
  readonly snapshot: Snapshot;
}

/** A moment between two steps. */
interface Moment {
  readonly number: number;
  readonly time: string;
}

/** A row in the middle of a step that is killed, of so many. */
const MIDDLE = 0.5;
/** Rows while something else is done. */
const ROWS_MEANWHILE = 15;

/**
 * Runs a sequence on a stack, and compares after each step what is there with what must be.
 *
 * @throws Error with the sequence in words, as far as it went, and what was lost or is wrongly there.
 */
export async function runSequence(subject: Subject, steps: readonly Step[]): Promise<void> {
  const run = new Run(subject, steps.findLastIndex(leads) + 1);
  let done = 0;
  try {
    await run.begin();
    for (const step of steps) {
      done += 1;
      await run.perform(step);
    }
    await run.end();
  } catch (error) {
    const step = steps[done - 1];
    const where = step === undefined ? "before its first step" : `step ${done}, ${formatStep(step)}`;
    const message = error instanceof Error ? error.message : String(error);
    throw new Error(`${formatSequence(steps.slice(0, done))}\n${where}: ${message}`, { cause: error });
  }
}

class Run {
  readonly #subject: Subject;
  readonly #history = new History();
  readonly #moments: Moment[] = [];
  readonly #backups = new Map<number, Taken>();
  /** When each row was acknowledged, by performance.now(). */
  readonly #acknowledged = new Map<number, number>();
  /** Commits are known to be received since the last time that server or agent ended. */
  #receiving = false;

  /** The last step that restores: it does so by the command, with the `up` that brings what the stack declares. */
  readonly #lastRestore: number;

  constructor(subject: Subject, lastRestore: number) {
    this.#subject = subject;
    this.#lastRestore = lastRestore;
  }

  async begin(): Promise<void> {
    await this.#subject.clear();
    await this.#closeMoment();
  }

  /** What restores have kept is not for the next sequence; the archive is to be whole. */
  async end(): Promise<void> {
    await this.#subject.pgstack("restore", "--forget");
    const { archive, lineage } = await this.#subject.status();
    const faults = [
      ...(archive?.gaps ?? []).map((gap) => `the archive has a gap: ${JSON.stringify(gap)}`),
      ...(lineage === undefined ? ["no timelines are recorded"] : []),
    ];
    if (faults.length > 0) throw new Error(faults.join("; "));
  }

  async perform(step: Step): Promise<void> {
    await this.#do(step);
    const { lost, wrong } = this.#history.compare(await this.#subject.rows());
    if (lost.length > 0 || wrong.length > 0) {
      throw new Error(`lost: ${lost.join(", ") || "none"}; wrongly there: ${wrong.join(", ") || "none"}`);
    }
    await this.#closeMoment();
  }

  async #do(step: Step): Promise<void> {
    switch (step.type) {
      case "write":
        return await this.#write(step);
      case "kill":
        await this.#subject.kill(step.victim);
        this.#receiving = false;
        if (step.away > 0) await this.#subject.write(step.away, this.#onRow);
        return await this.#subject.start(step.victim);
      case "backup":
        return await this.#backUp(step);
      case "drill":
        await this.#subject.pgstack("drill");
        return;
      case "restore":
        return await this.#restore(step);
      case "lose":
        return await this.#lose(step);
      case "fill":
        this.#receiving = false;
        return await this.#subject.fill(() => this.#subject.write(1, this.#onRow));
      case "forget":
        await this.#subject.pgstack("restore", "--forget");
    }
  }

  async #write({ rows, killing }: Extract<Step, { type: "write" }>): Promise<void> {
    if (killing === undefined) return await this.#subject.write(rows, this.#onRow);
    this.#receiving = false;
    let done = 0;
    let killed: Promise<void> | undefined;
    await this.#subject.write(rows, (row) => {
      this.#onRow(row);
      done += 1;
      if (done < rows * MIDDLE || killed !== undefined) return;
      killed = this.#subject.kill(killing).then(() => this.#subject.start(killing));
    });
    await killed;
  }

  async #backUp({ kind, during }: Extract<Step, { type: "backup" }>): Promise<void> {
    const begin = this.#history.now();
    const command = ["backup", "--kind", kind, "--json"];
    if (during === "killed") return await this.#killedBackup(command);
    const [output] = await Promise.all([
      this.#subject.pgstack(...command),
      during === "writing" ? this.#subject.write(ROWS_MEANWHILE, this.#onRow) : undefined,
    ]);
    const [entry] = JSON.parse(output) as BackupEntry[];
    if (entry === undefined) throw new Error("no backup was taken");
    const snapshot = this.#history.snapshot(begin);
    this.#backups.set(this.#step, { id: entry.id, logical: isLogical(kind), snapshot });
  }

  /** The agent is killed once the command says what it does; it may have been over by then. */
  async #killedBackup(command: readonly string[]): Promise<void> {
    this.#receiving = false;
    let killed: Promise<void> | undefined;
    await this.#subject.try(command, {
      onStart: (child) => {
        child.stderr?.on("data", () => {
          killed ??= this.#subject.kill("agent");
        });
      },
    });
    await (killed ?? this.#subject.kill("agent"));
    await this.#subject.start("agent");
  }

  async #restore({ to, killed }: Extract<Step, { type: "restore" }>): Promise<void> {
    this.#receiving = false;
    const command = this.#command(to);
    if (killed === undefined || command[0] === "restore-dump") return await this.#leadTo(to);
    const ended = await this.#subject.try(
      command,
      onSaying(STAGES[killed - 1] ?? "", (kill) => kill()),
    );
    if (ended.code === 0) return this.#arrive(to);
    if (ended.code !== -1) throw new Error(`it was not killed, and failed:\n${ended.output}`);
    const resumed = await this.#subject.pgstack("restore", "--resume");
    if (/is finished: the restored database is in use/.test(resumed)) {
      this.#arrive(to);
      await this.#subject.up();
    }
  }

  async #lose({ rows, settled, what, to }: Extract<Step, { type: "lose" }>): Promise<void> {
    if (!this.#receiving) await this.#subject.untilReceived();
    this.#receiving = true;
    await this.#subject.write(rows, this.#onRow);
    if (settled) await this.#subject.untilReceived();
    const safe = performance.now() - RECOVERY_POINT_SECONDS * 1_000;
    await this.#subject.lose(what);
    if (!settled) this.#history.lose((id) => (this.#acknowledged.get(id) ?? 0) > safe);
    this.#receiving = false;
    await this.#leadTo(to);
  }

  async #leadTo(to: Place): Promise<void> {
    const command = this.#command(to);
    if (command[0] === "restore-dump" || this.#step === this.#lastRestore) {
      await this.#subject.pgstack(...command);
    } else await this.#subject.restore(this.#targetOf(to));
    this.#arrive(to);
  }

  #targetOf(to: Place): RecoveryTarget {
    if (to.type === "time") return { type: "time", value: this.#momentOf(to.step).time };
    return to.type === "backup" ? { type: "backup", id: this.#backupOf(to.step).id } : { type: "latest" };
  }

  #command(to: Place): string[] {
    if (to.type === "latest") return ["restore", "--latest", "--yes"];
    if (to.type === "time") return ["restore", "--time", this.#momentOf(to.step).time, "--yes"];
    const { id, logical } = this.#backupOf(to.step);
    return [logical ? "restore-dump" : "restore", id, "--yes"];
  }

  #arrive(to: Place): void {
    if (to.type === "time") this.#history.backTo(this.#momentOf(to.step).number);
    if (to.type !== "backup") return;
    const { snapshot, logical } = this.#backupOf(to.step);
    if (logical) this.#history.replaceRows(snapshot);
    else this.#history.restore(snapshot);
  }

  /** The step that is done, from 1 on. */
  get #step(): number {
    return this.#moments.length;
  }

  #momentOf(step: number): Moment {
    const moment = this.#moments[step];
    if (moment === undefined) throw new Error(`there was no step ${step}`);
    return moment;
  }

  #backupOf(step: number): Taken {
    const taken = this.#backups.get(step);
    if (taken === undefined) throw new Error(`step ${step} took no backup`);
    return taken;
  }

  async #closeMoment(): Promise<void> {
    this.#moments.push({ time: await this.#subject.time(), number: this.#history.moment() });
  }

  readonly #onRow: OnRow = ({ id, acknowledged }) => {
    this.#acknowledged.set(id, performance.now());
    this.#history.write(id, acknowledged);
  };
}

function leads({ type }: Step): boolean {
  return type === "restore" || type === "lose";
}

function isLogical(kind: Kind): boolean {
  return kind === "logical";
}
