import { randomBytes } from "node:crypto";
import { chmod, mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { basename, join } from "node:path";
import { renderPostgresqlConf } from "../operations/postgresql-conf.ts";
import { run } from "../toolchain/run.mjs";

const FOLDER = join(import.meta.dirname, "compose");

/** The peer: the same server by Docker Compose. */
export class ComposePeer {
  readonly #program: string;
  readonly #files: string;
  readonly #environment: NodeJS.ProcessEnv;
  readonly #name: string;

  private constructor(program: string, files: string, image: string) {
    this.#program = program;
    this.#files = files;
    this.#name = basename(files).toLowerCase();
    this.#environment = { ...process.env, BENCH_IMAGE: image, BENCH_FILES: basename(files) };
  }

  /** Writes settings, init SQL and a password for one peer. */
  static async create(options: {
    program: string;
    image: string;
    parameters: Readonly<Record<string, string | number | boolean>>;
    initSql: string;
  }): Promise<ComposePeer> {
    const files = await mkdtemp(join(FOLDER, "run-"));
    for (const folder of ["", "conf", "init"]) {
      await mkdir(join(files, folder), { recursive: true });
      await chmod(join(files, folder), 0o755);
    }
    // A bind mount is written from inside as the server's user: its files are readable, and hold no secret of worth.
    const conf = renderPostgresqlConf(options.parameters, { tls: false }).replace(/^hba_file = .*\n/m, "");
    await writeFile(join(files, "conf", "postgresql.conf"), conf);
    await writeFile(join(files, "init", "init.sql"), options.initSql);
    await writeFile(join(files, "password"), randomBytes(16).toString("hex"));
    return new ComposePeer(options.program, files, options.image);
  }

  /** Brings it up, or applies it again, and waits until it is healthy. */
  async up(): Promise<void> {
    await this.#compose(["up", "--wait", "--detach"]);
  }

  /** Takes it down with its volume. */
  async down(): Promise<void> {
    await this.#compose(["down", "--volumes"]);
  }

  /** Removes everything, whatever state it is in. */
  async remove(): Promise<void> {
    await this.down().catch(() => {});
    await rm(this.#files, { recursive: true, force: true });
  }

  async #compose(programArguments: string[]): Promise<void> {
    const options = ["--project-name", this.#name, "--file", join(FOLDER, "compose.yaml")];
    await run(this.#program, [...options, ...programArguments], { cwd: FOLDER, env: this.#environment });
  }
}
