import { type ChildProcess, execFile, spawn } from "node:child_process";
import { randomBytes } from "node:crypto";
import { cp, mkdir, mkdtemp, readFile, rm, symlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";
import { promisify } from "node:util";
import {
  listThings,
  removeContainers,
  removeStorage,
  type StackThings,
} from "../../operations/stack-things.ts";
import type { Target } from "../../operations/target.ts";
import { endProcessesIn } from "./processes.ts";

const CHECKOUT = fileURLToPath(new URL("../../", import.meta.url));

/** What Node.js has compiled, for all copies of the project: each knows it by paths from its own folder. */
const COMPILED = process.env.NODE_COMPILE_CACHE || join(tmpdir(), "pgstack-compiled");

/** What a copy of the project needs to run. */
const PARTS = [
  "Pulumi.yaml",
  "package.json",
  "index.ts",
  "program",
  "settings",
  "agent",
  "components",
  "providers",
  "operations",
  "cli",
  "snapshots",
  "policies",
  "toolchain",
] as const;

/** What every test's stack has unless it is told otherwise. */
const SMALL = { environment: "test", memoryLimit: "512MB", sharedBuffers: "64MB" } as const;

/** How a program ended. */
export interface Ended {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
  /** Both, in the order of their arrival. */
  readonly output: string;
}

/** Run options that do something, for example kill the program, as soon as it has said a text on its standard error. */
export function onSaying(text: string, then: (kill: () => void) => unknown): RunOptions {
  return {
    onStart: (child) => {
      let output = "";
      let done = false;
      child.stderr?.on("data", (piece: Buffer) => {
        output += piece;
        if (done || !output.includes(text)) return;
        done = true;
        void then(() => child.kill("SIGKILL"));
      });
    },
  };
}

/** How to run one. */
export interface RunOptions {
  readonly environment?: Readonly<Record<string, string>>;
  readonly input?: string;
  /** Told of the child at its start, to be killed for example. */
  readonly onStart?: (child: ChildProcess) => void;
}

/**
 * A copy of the project in a folder of its own, with its own state, names and settings: what a test brings up touches
 * nothing else. The stack's name, and so every name on the Docker host, is random.
 */
export class TestProject {
  readonly directory: string;
  readonly stack: string;
  readonly #environment: Record<string, string>;
  readonly #siblings: TestProject[] = [];

  private constructor(directory: string, stack: string, passphrase: string) {
    this.directory = directory;
    this.stack = stack;
    this.#environment = {
      PULUMI_BACKEND_URL: `${pathToFileURL(join(directory, ".pgstack", "state")).href}?metadata=skip`,
      PULUMI_CONFIG_PASSPHRASE: passphrase,
      NODE_COMPILE_CACHE: join(directory, ".pgstack", "compiled"),
      NODE_COMPILE_CACHE_PORTABLE: "1",
      PGSTACK_OPERATOR: "test",
      // What a test brings up for staging or production is not always as the policies want it.
      PGSTACK_POLICIES: "skip",
      NO_COLOR: "1",
    };
  }

  /** What the stack's secrets are encrypted with. */
  get passphrase(): string {
    return this.#environment.PULUMI_CONFIG_PASSPHRASE ?? "";
  }

  set passphrase(passphrase: string) {
    this.#environment["PULUMI_CONFIG_PASSPHRASE"] = passphrase;
  }

  /** Container of the stack by its default name. */
  get container(): string {
    return `pgstack-${this.stack}`;
  }

  /**
   * Copies the project and makes its stack.
   *
   * @param settings Keys below `pgstack:`; over those of a small test stack.
   */
  static async create(settings: Readonly<Record<string, unknown>> = {}): Promise<TestProject> {
    const directory = await mkdtemp(join(tmpdir(), "pgstack-test-"));
    const stack = `t${randomBytes(4).toString("hex")}`;
    const project = new TestProject(directory, stack, randomBytes(12).toString("hex"));
    await mkdir(join(directory, ".pgstack", "state"), { recursive: true });
    await mkdir(COMPILED, { recursive: true });
    await symlink(COMPILED, join(directory, ".pgstack", "compiled"));
    await promisify(execFile)("cp", ["-R", ...PARTS, directory], { cwd: CHECKOUT });
    await symlink(join(CHECKOUT, "node_modules"), join(directory, "node_modules"));
    await project.configure(settings);
    await project.pulumi(["stack", "init", project.stack]);
    return project;
  }

  /** A stack that a checkout has brought up, with the state and the passphrase in it. */
  static async in(directory: string, stack: string): Promise<TestProject> {
    const passphrase = await readFile(join(directory, ".pgstack", "passphrase"), "utf8");
    return new TestProject(directory, stack, passphrase.trim());
  }

  /** Another stack of the same project, which a test makes by the project's own means; it goes with this one. */
  sibling(suffix: string): TestProject {
    const other = new TestProject(this.directory, `${this.stack}${suffix}`, this.passphrase);
    this.#siblings.push(other);
    return other;
  }

  /** The project, its state and its settings in another folder; the first folder is gone. */
  async moved(): Promise<TestProject> {
    const directory = await mkdtemp(join(tmpdir(), "pgstack-moved-"));
    await cp(this.directory, directory, { recursive: true, verbatimSymlinks: true });
    await rm(this.directory, { recursive: true, force: true });
    return new TestProject(directory, this.stack, this.passphrase);
  }

  /** The server by its default names. */
  get target(): Target {
    return { stack: this.stack, container: this.container, port: 5432, database: "app" };
  }

  /** What is on the Docker host with this stack's label. */
  things(): Promise<StackThings> {
    return listThings(this.stack);
  }

  /** Releases the locks of killed runs, exactly as `npm start` does. */
  releaseDeadLocks(): Promise<Ended> {
    const program = `
      const { releaseDeadLocks } = await import("./toolchain/state-locks.mjs");
      await releaseDeadLocks(${JSON.stringify(this.stack)}, process.env);`;
    return this.run(process.execPath, ["--input-type=module", "--eval", program]);
  }

  /** Replaces the stack's settings; what is not named has the test stacks' value. */
  async configure(settings: Readonly<Record<string, unknown>>): Promise<void> {
    const file = join(this.directory, `Pulumi.${this.stack}.yaml`);
    const salt = (await readFile(file, "utf8").catch(() => ""))
      .split("\n")
      .filter((line) => line.startsWith("encryptionsalt"));
    const all = { ...SMALL, ...settings };
    // JSON is YAML: no value can be misread.
    const config = Object.entries(all).map(([key, value]) => `  pgstack:${key}: ${JSON.stringify(value)}`);
    await writeFile(file, [...salt, "config:", ...config, ""].join("\n"));
  }

  /** Settings of a test's stack, for one that was made by the project's own means. */
  async makeSmall(): Promise<void> {
    for (const [key, value] of Object.entries(SMALL)) {
      const { code, output } = await this.pulumi(["config", "set", `pgstack:${key}`, value]);
      if (code !== 0) throw new Error(output);
    }
  }

  /** Runs `pulumi` in the project. */
  pulumi(programArguments: readonly string[], options: RunOptions = {}): Promise<Ended> {
    const stacked = programArguments[0] === "stack" || programArguments[0] === "login";
    const stack = stacked ? [] : ["--stack", this.stack];
    return this.run("pulumi", [...programArguments, ...stack, "--non-interactive"], options);
  }

  /** `pulumi up` without questions. */
  up(extra: readonly string[] = [], options: RunOptions = {}): Promise<Ended> {
    return this.pulumi(["up", "--yes", "--skip-preview", ...extra], options);
  }

  /** Runs the project's own command line. */
  pgstack(programArguments: readonly string[], options: RunOptions = {}): Promise<Ended> {
    const main = join(this.directory, "cli", "main.ts");
    return this.run(process.execPath, [main, "--stack", this.stack, ...programArguments], options);
  }

  /** Runs any program in the project's folder and environment. */
  run(program: string, programArguments: readonly string[], options: RunOptions = {}): Promise<Ended> {
    return new Promise((resolve, reject) => {
      const child = spawn(program, programArguments, {
        cwd: this.directory,
        env: { ...process.env, ...this.#environment, ...options.environment },
        stdio: "pipe",
      });
      let stdout = "";
      let stderr = "";
      let output = "";
      child.stdout.on("data", (chunk: Buffer) => {
        stdout += chunk;
        output += chunk;
      });
      child.stderr.on("data", (chunk: Buffer) => {
        stderr += chunk;
        output += chunk;
      });
      child.on("error", reject);
      child.on("close", (code) => resolve({ code: code ?? -1, stdout, stderr, output }));
      child.stdin.on("error", () => {});
      child.stdin.end(options.input ?? "");
      options.onStart?.(child);
    });
  }

  /** The stack's outputs, secrets in plain text. */
  async outputs<Outputs>(): Promise<Outputs> {
    const { stdout, code, output } = await this.run("pulumi", [
      ...["stack", "output", "--json", "--show-secrets", "--stack", this.stack, "--non-interactive"],
    ]);
    if (code !== 0) throw new Error(`no outputs: ${output}`);
    return JSON.parse(stdout);
  }

  /** Removes whatever the stack and its siblings have made, also after a test that failed, and the folder. */
  async remove(): Promise<void> {
    // A killed run leaves its plugins.
    await endProcessesIn(this.directory);
    // All containers first: one may hold another stack's volume.
    const projects = [this, ...this.#siblings];
    for (const { stack } of projects) await removeContainers(stack);
    for (const { stack } of projects) await removeStorage(stack);
    await rm(this.directory, { recursive: true, force: true });
  }

  /** Removes the stack's containers. */
  removeContainers(): Promise<void> {
    return removeContainers(this.stack);
  }
}
