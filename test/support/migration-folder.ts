import { mkdir, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import type { Client } from "pg";
import { type MigrateOptions, migrate, migrationStatus } from "../../operations/migrations.ts";
import { CREDENTIALS, type DatabaseServer } from "./database-server.ts";
import { withSession } from "./sessions.ts";
import { temporaryFolder } from "./temporary-folder.ts";

/** A project of nothing but migrations, for a server that several tests share. */
export class MigrationFolder {
  readonly #server: DatabaseServer;
  readonly #project: string;

  private constructor(server: DatabaseServer, project: string) {
    this.#server = server;
    this.#project = project;
  }

  /** An empty folder, and an empty history. */
  static async empty(server: DatabaseServer): Promise<MigrationFolder> {
    await server.inDatabase("DROP SCHEMA IF EXISTS pgstack_migrations CASCADE");
    const project = await temporaryFolder();
    await mkdir(join(project, "migrations"));
    return new MigrationFolder(server, project);
  }

  /** Writes `0001_words.up.sql` and, where there is a way down, its counterpart. */
  async file(name: string, up: string | Buffer, down?: string): Promise<void> {
    await writeFile(join(this.#project, "migrations", `${name}.up.sql`), up);
    if (down !== undefined) await writeFile(join(this.#project, "migrations", `${name}.down.sql`), down);
  }

  async remove(name: string): Promise<void> {
    await rm(join(this.#project, "migrations", `${name}.up.sql`));
  }

  /** Applies what waits, as `pgstack migrate up` does. @returns The names of what was applied. */
  async up(options: Partial<MigrateOptions> = {}): Promise<string[]> {
    return this.#asAdministrator(async (client) => {
      const users = { application: CREDENTIALS.application.role, readonly: CREDENTIALS.readonly.role };
      const done = await migrate(client, { project: this.#project, direction: "up", users, ...options });
      return done.map(({ name }) => name);
    });
  }

  /** The one line that a run which must fail ends with. */
  async refusal(options: Partial<MigrateOptions> = {}): Promise<string> {
    const outcome = await this.up(options).then(
      (names) => `applied: ${names.join(", ")}`,
      (error: Error) => (error.name === "UserError" ? error.message : `${error.name}: ${error.message}`),
    );
    return outcome;
  }

  /** Names of what was applied. */
  async applied(): Promise<string[]> {
    const { applied } = await this.#asAdministrator((client) => migrationStatus(client, this.#project));
    return applied.map(({ name }) => name);
  }

  async #asAdministrator<T>(work: (client: Client) => Promise<T>): Promise<T> {
    return withSession(this.#server.server, CREDENTIALS.administrator, work);
  }
}
