import type { Client } from "pg";
import { onTestFinished } from "vitest";
import { connect } from "../../operations/connection.ts";
import { applyDatabase, type DatabaseSpecification, planDatabase } from "../../operations/database.ts";
import { applyRole } from "../../operations/roles.ts";
import { scramVerifier } from "../../operations/scram.ts";
import { literal } from "../../operations/sql.ts";
import { queryAsSuperuser, runAsSuperuser } from "../../operations/superuser.ts";
import type { Target } from "../../operations/target.ts";
import { startServer, type TestServer } from "./server.ts";
import { withSession } from "./sessions.ts";

export const CREDENTIALS = {
  administrator: { role: "app_admin", password: "secret of the administrator" },
  application: { role: "app_rw", password: "secret of the application" },
  readonly: { role: "app_ro", password: "secret of the reader" },
};
export const STRANGER = { role: "stranger", password: "secret of the stranger" };
export const SPECIFICATION: DatabaseSpecification = {
  name: "app",
  administrator: "app_admin",
  application: "app_rw",
  readonly: "app_ro",
  schemas: ["billing"],
  extensions: ["uuid-ossp", "pgcrypto", "pg_stat_statements"],
};

const LATER_OBJECTS = `
  CREATE TABLE public.item (id serial PRIMARY KEY, name text NOT NULL);
  CREATE TABLE billing.invoice (id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, item int REFERENCES public.item);
  CREATE TABLE billing.event (at timestamptz NOT NULL) PARTITION BY RANGE (at);
  CREATE TABLE billing.event_2026 PARTITION OF billing.event FOR VALUES FROM ('2026-01-01') TO ('2027-01-01');
  CREATE VIEW public.item_names AS SELECT name FROM public.item;
  CREATE MATERIALIZED VIEW billing.totals AS SELECT count(*) FROM billing.invoice;
  CREATE SEQUENCE billing.numbers;
  CREATE TYPE billing.state AS ENUM ('open', 'paid');
  CREATE TYPE billing.money_in AS (amount numeric, currency text);
  CREATE TYPE public.span AS RANGE (subtype = int);
  CREATE DOMAIN public.positive AS int CHECK (VALUE > 0);
  CREATE FUNCTION public.touched() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RETURN NEW; END $$;
  CREATE FUNCTION billing.wipe() RETURNS void LANGUAGE sql SECURITY DEFINER AS 'DELETE FROM billing.invoice';
  CREATE TRIGGER touch BEFORE UPDATE ON public.item FOR EACH ROW EXECUTE FUNCTION public.touched();`;

/** A server with the three roles, one that is none of them, a database applied to it, and tables made since. */
export class DatabaseServer {
  readonly server: TestServer;

  private constructor(server: TestServer) {
    this.server = server;
  }

  static async start(): Promise<DatabaseServer> {
    const server = await startServer();
    for (const kind of ["administrator", "application", "readonly"] as const) {
      const { role, password } = CREDENTIALS[kind];
      await applyRole(server.target, { kind, name: role, password });
    }
    await runAsSuperuser(
      server.target,
      `CREATE ROLE stranger LOGIN PASSWORD ${literal(scramVerifier(STRANGER.password))}`,
    );
    await applyDatabase(server.target, SPECIFICATION);
    // Tables of the administrator, made after the grants, as every migration's are.
    await withSession(server, CREDENTIALS.administrator, (client) => client.query(LATER_OBJECTS));
    return new DatabaseServer(server);
  }

  get target(): Target {
    return this.server.target;
  }

  /** What an apply would change. */
  async plan(specification = SPECIFICATION): Promise<string[]> {
    return (await planDatabase(this.target, specification)).map(({ description }) => description);
  }

  async inDatabase(sql: string): Promise<void> {
    await runAsSuperuser(this.target, sql, { database: "app" });
  }

  async as<T>(
    kind: keyof typeof CREDENTIALS,
    work: (client: Client) => Promise<T>,
    database?: string,
  ): Promise<T> {
    return await withSession(this.server, CREDENTIALS[kind], work, database);
  }

  /** One value as the superuser sees it in the database. */
  async value(expression: string): Promise<string | null> {
    const sql = `SELECT (${expression})::text AS value`;
    const [row] = await queryAsSuperuser<{ value: string | null }>(this.target, sql, { database: "app" });
    return row?.value ?? null;
  }

  /** A session that ends with the test. */
  async session(kind: keyof typeof CREDENTIALS, applicationName: string): Promise<Client> {
    const client = await connect(this.target, CREDENTIALS[kind], this.server.trust, { applicationName });
    client.on("error", () => {});
    onTestFinished(() => client.end());
    return client;
  }

  async remove(): Promise<void> {
    await this.server.remove();
  }
}
