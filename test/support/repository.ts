import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import type { TestProject } from "./project.ts";

/** The git repository that a test's project is put into. */
export class Repository {
  readonly #project: TestProject;

  private constructor(project: TestProject) {
    this.#project = project;
  }

  /** Makes it, without a commit; what a run writes is ignored, and the files named besides. */
  static async make(project: TestProject, ignored: readonly string[] = []): Promise<Repository> {
    const lines = [".pgstack", "logs", "node_modules", ...ignored, ""];
    await writeFile(join(project.directory, ".gitignore"), lines.join("\n"));
    const repository = new Repository(project);
    await repository.git("init", "--quiet");
    return repository;
  }

  /** What git prints. */
  async git(...words: string[]): Promise<string> {
    const ended = await this.#project.run("git", [
      ...["-c", "user.name=tests", "-c", "user.email=tests@example.org", "-c", "commit.gpgsign=false"],
      ...words,
    ]);
    if (ended.code !== 0) throw new Error(ended.output);
    return ended.stdout.trim();
  }

  /** Commits everything. @returns The commit. */
  async commit(): Promise<string> {
    await this.git("add", "--all");
    await this.git("commit", "--quiet", "--allow-empty", "--message", "a change");
    return this.git("rev-parse", "HEAD");
  }
}
