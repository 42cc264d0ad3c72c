import type { Client } from "pg";
import { type ConnectOptions, connect } from "../../../operations/connection.ts";
import { executeInContainer } from "../../../operations/execute.ts";
import type { HealthReport } from "../../../operations/health.ts";
import { queryAsSuperuser, runAsSuperuser } from "../../../operations/superuser.ts";
import type { Credential, ServerTrust, Target } from "../../../operations/target.ts";
import { type Ended, TestProject } from "../project.ts";

export type Kind = "administrator" | "application" | "readonly";

interface Outputs {
  readonly connection: {
    readonly target: Target;
    readonly roles: Readonly<Record<Kind, string>>;
    readonly tls: boolean;
    readonly serverName: string;
    readonly authority: string;
  };
  readonly deployed: {
    readonly networkName: string;
    readonly dataVolume: string;
    readonly image: { readonly imageId: string };
  };
  readonly passwords: Readonly<Record<Kind, string>>;
}

/** A stack that a real `pulumi up` has brought up, for the tests of one file. */
export class LiveStack {
  readonly project: TestProject;
  /** What the first `up` printed. */
  readonly firstUp: Ended;
  #outputs: Outputs;

  private constructor(project: TestProject, firstUp: Ended, outputs: Outputs) {
    this.project = project;
    this.firstUp = firstUp;
    this.#outputs = outputs;
  }

  /**
   * @param settings Keys below `pgstack:`.
   * @param prepare Called with the project before its first `up`; returns settings that it adds.
   */
  static async bringUp(
    settings: Readonly<Record<string, unknown>> = {},
    prepare: (project: TestProject) => Promise<Readonly<Record<string, unknown>>> = async () => ({}),
  ): Promise<LiveStack> {
    const project = await TestProject.create(settings);
    try {
      await project.configure({ ...settings, ...(await prepare(project)) });
      const ended = await project.up();
      if (ended.code !== 0) throw new Error(`pulumi up failed: ${ended.output}`);
      return new LiveStack(project, ended, await project.outputs<Outputs>());
    } catch (error) {
      await project.remove();
      throw error;
    }
  }

  /** A stack that is up already. */
  static async of(project: TestProject): Promise<LiveStack> {
    return new LiveStack(
      project,
      { code: 0, stdout: "", stderr: "", output: "" },
      await project.outputs<Outputs>(),
    );
  }

  get target(): Target {
    return this.#outputs.connection.target;
  }

  get outputs(): Outputs {
    return this.#outputs;
  }

  get trust(): ServerTrust {
    const { authority, serverName } = this.#outputs.connection;
    return authority === "" ? { serverName } : { authority, serverName };
  }

  credential(kind: Kind): Credential {
    return { role: this.#outputs.connection.roles[kind], password: this.#outputs.passwords[kind] };
  }

  /** Brings other settings into force; fails when `up` does. */
  async change(settings: Readonly<Record<string, unknown>>, extra: readonly string[] = []): Promise<Ended> {
    await this.project.configure(settings);
    return await this.up(extra);
  }

  /** `pulumi up` that must succeed; the outputs are read again. */
  async up(extra: readonly string[] = []): Promise<Ended> {
    const ended = await this.project.up(extra);
    if (ended.code !== 0) throw new Error(`pulumi up failed: ${ended.output}`);
    this.#outputs = await this.project.outputs<Outputs>();
    return ended;
  }

  /** A session of a role, verified where there is TLS; the caller ends it. */
  async session(kind: Kind, options: ConnectOptions & { readonly password?: string } = {}): Promise<Client> {
    const credential = this.credential(kind);
    const password = options.password ?? credential.password;
    const trust = this.#outputs.connection.tls ? this.trust : undefined;
    const client = await connect(this.target, { ...credential, password }, trust, options);
    client.on("error", () => {});
    return client;
  }

  /** What a shell command in the server's container prints, as the server's own user. */
  async inside(script: string): Promise<string> {
    const { exitCode, stdout, stderr } = await executeInContainer(this.target, {
      command: ["bash", "-c", script],
    });
    if (exitCode !== 0) throw new Error(`exit code ${exitCode}: ${stderr}`);
    return stdout;
  }

  /** Runs SQL as the administrator in the stack's database. */
  async write(sql: string): Promise<void> {
    await runAsSuperuser(this.target, sql, { database: this.target.database, role: "administrator" });
  }

  /** One value as the superuser sees it. */
  async value(expression: string): Promise<string | null> {
    const rows = await queryAsSuperuser<{ value: string | null }>(
      this.target,
      `SELECT (${expression})::text AS value`,
      { database: this.target.database },
    );
    return rows[0]?.value ?? null;
  }

  /** How one check of the full health report stands: `ok`, `warning`, `failed`; undefined when there is none of this name. */
  async checkStatus(check: string): Promise<string | undefined> {
    const { stdout } = await this.project.pgstack(["health", "--full", "--json"]);
    const { checks } = JSON.parse(stdout) as HealthReport;
    return checks.find(({ name }) => name === check)?.status;
  }

  /** When the server started; a restart changes it. */
  async startTime(): Promise<string | null> {
    return await this.value("pg_postmaster_start_time()");
  }

  /** All lines of the server's own log. */
  async serverLog(): Promise<string> {
    return await this.inside('cat "$PGDATA"/log/*');
  }
}
