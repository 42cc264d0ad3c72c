import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { type Ended, TestProject } from "../test/support/project.ts";
import { breakdown, EventLog, type Phase } from "./breakdown.ts";

/** This project's side: a stack of its own, as a user runs it. */
export class StackSide {
  readonly #project: TestProject;

  private constructor(project: TestProject) {
    this.#project = project;
  }

  /** Copies the project; nothing is brought up yet. */
  static async create(settings: Readonly<Record<string, unknown>>, initSql?: string): Promise<StackSide> {
    const project = await TestProject.create(settings);
    if (initSql !== undefined) {
      await writeFile(join(project.directory, "init.sql"), initSql);
      await project.configure({ ...settings, initSql: ["init.sql"] });
    }
    return new StackSide(project);
  }

  /** `pulumi up`, to a server that has passed its health check; a second one applies it again. */
  async up(): Promise<void> {
    requireSuccess(await this.#project.up());
  }

  /** `pulumi preview` of a stack that is as declared. @param more Further options. */
  async preview(more: readonly string[] = []): Promise<void> {
    requireSuccess(await this.#project.pulumi(["preview", "--expect-no-changes", ...more]));
  }

  /** `pulumi destroy`. */
  async down(): Promise<void> {
    requireSuccess(await this.#project.pulumi(["destroy", "--yes", "--skip-preview"]));
  }

  /** Where one command spends its time. */
  async breakdown(command: readonly string[]): Promise<Phase[]> {
    const path = join(this.#project.directory, `events-${command[0]}.json`);
    const log = new EventLog(path);
    const started = performance.now();
    let running = true;
    const follow = (async () => {
      while (running) {
        await log.poll();
        await new Promise((resolve) => setTimeout(resolve, 5));
      }
    })();
    // The option is there for debugging alone.
    const environment = { PULUMI_DEBUG_COMMANDS: "true" };
    requireSuccess(await this.#project.pulumi([...command, "--event-log", path], { environment }));
    const ended = performance.now();
    running = false;
    await follow;
    await log.poll();
    return breakdown(started, ended, log.events);
  }

  /** Removes everything, whatever state it is in. */
  async remove(): Promise<void> {
    await this.#project.remove();
  }
}

function requireSuccess({ code, output }: Ended): void {
  if (code !== 0) throw new Error(`the stack's command failed:\n${output}`);
}
