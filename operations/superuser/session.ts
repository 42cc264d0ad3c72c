import { randomUUID } from "node:crypto";
import type { Duplex } from "node:stream";
import type Docker from "dockerode";
import { demultiplex } from "../execute/demultiplex.ts";
import { exitCodeOf, startExecution } from "../execute.ts";
import { SUPERUSER_PSQL, superuserEnvironment } from "../superuser.ts";
import type { Target } from "../target.ts";
import { sqlError } from "./sql-error.ts";

interface Awaited {
  readonly marker: string;
  readonly done: () => void;
  readonly failed: (error: Error) => void;
}

/**
 * A psql of the superuser that stays, for scripts that follow one another in milliseconds: starting a program in a container
 * takes longer than most of them.
 */
export class SuperuserSession {
  readonly #target: Target;
  readonly #exec: Docker.Exec;
  readonly #stream: Duplex;
  #said = "";
  #awaited: Awaited | undefined;
  #ended = false;

  private constructor(target: Target, exec: Docker.Exec, stream: Duplex) {
    this.#target = target;
    this.#exec = exec;
    this.#stream = stream;
    this.#follow().catch((error: unknown) =>
      this.#end(error instanceof Error ? error : new Error(String(error))),
    );
  }

  /** @throws ContainerNotRunning. Whether the server takes the session, the first script tells. */
  static async open(target: Target): Promise<SuperuserSession> {
    const { exec, stream } = await startExecution(target, {
      command: [...SUPERUSER_PSQL, "--file=-"],
      environment: superuserEnvironment(target, {}),
      user: "postgres",
    });
    return new SuperuserSession(target, exec, stream);
  }

  /** Whether it can be used again; a script that failed has ended it. */
  get isOpen(): boolean {
    return !this.#ended;
  }

  /** Runs a script; one after the other. @throws SqlError as `runAsSuperuser`; the session is over then. */
  async run(sql: string): Promise<void> {
    if (this.#ended || this.#awaited !== undefined)
      throw new Error("the session of psql is ended, or at work");
    const marker = randomUUID();
    await new Promise<void>((done, failed) => {
      this.#awaited = { marker, done, failed };
      this.#stream.write(`${sql}\n\\warn ${marker}\n`);
    });
  }

  close(): void {
    this.#stream.end();
    this.#stream.destroy();
  }

  async #follow(): Promise<void> {
    await demultiplex(
      this.#stream,
      () => {},
      (piece) => {
        this.#said += piece.toString("utf8");
        const awaited = this.#awaited;
        if (awaited === undefined || !this.#said.includes(awaited.marker)) return;
        this.#said = "";
        this.#awaited = undefined;
        awaited.done();
      },
    );
    this.#end(sqlError(this.#said, await exitCodeOf(this.#target, this.#exec)));
  }

  #end(error: Error): void {
    this.#ended = true;
    this.#awaited?.failed(error);
    this.#awaited = undefined;
  }
}
