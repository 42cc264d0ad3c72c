import type { Client } from "pg";
import { expect } from "vitest";
import { connect } from "../../operations/connection.ts";
import type { TestServer } from "./server.ts";

/** Runs work with a session of a role, and ends the session. */
export async function withSession<T>(
  server: TestServer,
  credential: { readonly role: string; readonly password: string },
  work: (client: Client) => Promise<T>,
  database?: string,
): Promise<T> {
  const client = await connect(
    server.target,
    credential,
    server.trust,
    database === undefined ? {} : { database },
  );
  client.on("error", () => {});
  try {
    return await work(client);
  } finally {
    await client.end();
  }
}

/** Expects a statement to be refused with a SQLSTATE; nothing of it stays. */
export async function expectRefused(client: Client, sql: string, code: string): Promise<void> {
  const outcome = await client.query(sql).then(
    () => "it was carried out",
    (error: { code?: string; message: string }) => error.code ?? error.message,
  );
  await client.query("ROLLBACK");
  expect(outcome, sql).toBe(code);
}
