import type { Client } from "pg";

/** Schemas, with their owners, that the stack's grants do not reach, since they are not the administrator's. */
export async function closedSchemas(client: Client): Promise<ReadonlyMap<string, string>> {
  const { rows } = await client.query<{ name: string; owner: string }>(
    `SELECT quote_ident(nspname) AS name, quote_ident(pg_get_userbyid(nspowner)) AS owner FROM pg_catalog.pg_namespace
      WHERE pg_get_userbyid(nspowner) <> current_user AND nspname !~ '^(pg_|pgstack|information_schema$|public$)'`,
  );
  return new Map(rows.map(({ name, owner }) => [name, owner]));
}
