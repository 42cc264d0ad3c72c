import type { AgentConfiguration } from "../../agent/configuration.ts";
import type { BackupEntry } from "../../agent/entry.ts";
import { type AgentCall, callAgent } from "../../operations/agent.ts";
import { agentFiles } from "../../operations/agent-files.ts";
import { dockerEngine } from "../../operations/docker.ts";
import { executeInContainer } from "../../operations/execute.ts";
import { queryAsSuperuser, runAsSuperuser } from "../../operations/superuser.ts";
import type { Target } from "../../operations/target.ts";
import { writeVolumeFiles } from "../../operations/volume-files.ts";
import { TEST_IMAGE } from "./image.ts";
import { startServer, type TestServer } from "./server.ts";
import { configurationVolumeOf, labelsOf } from "./server-container.ts";

const PLACE = "/tmp/agent";

/** A server whose container also has the agent's program, called as the command line calls it, for logical backups. */
export class AgentInServer {
  readonly #server: TestServer;

  private constructor(server: TestServer) {
    this.#server = server;
  }

  static async start(): Promise<AgentInServer> {
    const server = await startServer({ init: true, parameters: "max_prepared_transactions = 2\n" });
    const agent = new AgentInServer(server);
    await agent.#write(await agentFiles());
    const folders = { command: ["mkdir", "-p", `${PLACE}/backups/state`, `${PLACE}/scratch`] };
    await executeInContainer(server.target, folders);
    return agent;
  }

  get target(): Target {
    return this.#server.target;
  }

  /** From now on the agent works on this database. */
  async use(database: string): Promise<void> {
    const { target } = this.#server;
    const configuration: AgentConfiguration = {
      format: 1,
      ...{ stack: target.stack, database, port: target.port },
      socketDirectory: "/var/run/postgresql",
      dataDirectory: "/var/lib/postgresql/data",
      backupDirectory: `${PLACE}/backups`,
      scratchDirectory: `${PLACE}/scratch`,
      jobs: 1,
      logical: { encrypted: false, keyFile: `${PLACE}/key` },
      physical: {
        ...{ stanza: "none", configurationFile: `${PLACE}/none`, repositories: [] },
        ...{ queueDirectory: `${PLACE}/queue`, fullDays: 7 },
      },
      schedule: { backup: "0 0 1 1 *", drill: "0 0 1 1 *" },
      retention: { days: 7, weeks: 4, months: 6 },
      verification: { coreTables: [], sql: [] },
    };
    await this.#write([{ path: "agent.json", content: JSON.stringify(configuration), mode: 0o600 }]);
  }

  async call<Result>(
    operation: string,
    parameters: Readonly<Record<string, unknown>> = {},
    call: AgentCall = {},
  ): Promise<Result> {
    const { target } = this.#server;
    return await callAgent<Result>(target, operation, parameters, { container: target.container, ...call });
  }

  /** Takes a logical backup. */
  async dump(): Promise<BackupEntry> {
    const [entry] = await this.call<BackupEntry[]>("backup", { kind: "logical" });
    if (entry === undefined) throw new Error("no backup was taken");
    return entry;
  }

  /** Kills the agent's program and what it has started, as the end of its container would. */
  async killAgent(): Promise<void> {
    // Its own program first: it would clean up after the others.
    const kill = `for name in MainThread node psql pg_dump pg_restore; do
      for p in /proc/[0-9]*; do
        case "$(cat "$p/comm")" in *$name) kill -9 "\${p#/proc/}";; esac
      done
    done`;
    await executeInContainer(this.#server.target, { command: ["sh", "-c", kill], user: "postgres" });
  }

  /** Runs SQL as the superuser. */
  async run(sql: string, database?: string): Promise<void> {
    await runAsSuperuser(this.#server.target, sql, database === undefined ? {} : { database });
  }

  /** The rows of one query, asked as the superuser. */
  async query<Row extends object>(sql: string, database?: string): Promise<Row[]> {
    return await queryAsSuperuser<Row>(this.#server.target, sql, database === undefined ? {} : { database });
  }

  /** What a shell command in the container prints. */
  async inside(script: string): Promise<string> {
    const { exitCode, stdout, stderr } = await executeInContainer(this.target, {
      command: ["sh", "-c", script],
      user: "postgres",
    });
    if (exitCode !== 0) throw new Error(`exit code ${exitCode}: ${stderr}`);
    return stdout;
  }

  async remove(): Promise<void> {
    await this.#server.remove();
  }

  async #write(files: Parameters<typeof writeVolumeFiles>[1]["files"]): Promise<void> {
    const { stack } = this.#server.target;
    await writeVolumeFiles(dockerEngine(), {
      ...{ volume: configurationVolumeOf(stack), image: TEST_IMAGE, directory: "" },
      ...{ labels: labelsOf(stack), files },
    });
  }
}
