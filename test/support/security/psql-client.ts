import { dockerEngine } from "../../../operations/docker.ts";
import { type ExecutionResult, executeInContainer } from "../../../operations/execute.ts";
import { TEST_IMAGE } from "../image.ts";
import { uniqueName } from "../volumes.ts";

/** A real psql (libpq) on a network of the Docker host's: by default on the host's own, so that it is a client there. */
export class PsqlClient {
  readonly #container: string;

  private constructor(container: string) {
    this.#container = container;
  }

  /** @param network Name of a Docker network, or `host`. */
  static async start(network = "host"): Promise<PsqlClient> {
    const name = uniqueName("psql");
    const client = new PsqlClient(name);
    const container = await dockerEngine().createContainer({
      name,
      Image: TEST_IMAGE,
      User: "postgres",
      Entrypoint: ["sleep"],
      Cmd: ["600"],
      HostConfig: { NetworkMode: network, Tmpfs: { "/tmp": "mode=1777" }, AutoRemove: true },
    });
    try {
      await container.start();
    } catch (error) {
      await container.remove({ force: true });
      throw error;
    }
    return client;
  }

  /** Writes a file below /tmp, readable by psql. */
  async write(path: string, content: string): Promise<void> {
    const { exitCode, stderr } = await this.run(["sh", "-c", 'umask 077 && cat >"$0"', path], {}, content);
    if (exitCode !== 0) throw new Error(stderr);
  }

  /**
   * Runs one query with the settings that libpq takes from the environment.
   *
   * @returns what it printed, or the error's lines.
   */
  async query(environment: Readonly<Record<string, string>>, sql: string): Promise<string> {
    const result = await this.run(["psql", "--no-psqlrc", "--no-align", "--tuples-only", "--command", sql], {
      PGCONNECT_TIMEOUT: "10",
      LC_ALL: "C",
      ...environment,
    });
    return (result.stdout + result.stderr).trim();
  }

  async run(
    command: readonly string[],
    environment: Readonly<Record<string, string>> = {},
    input = "",
  ): Promise<ExecutionResult> {
    const target = { stack: "", container: this.#container, port: 0, database: "" };
    return await executeInContainer(target, { command, environment, input });
  }

  async remove(): Promise<void> {
    await dockerEngine().getContainer(this.#container).remove({ force: true, v: true });
  }
}
