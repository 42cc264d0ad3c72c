import type { Client } from "pg";
import { UserError } from "../user-error.ts";

/** A tenant and a user, as the database knows them. */
export interface Parties {
  readonly tenant: { readonly id: string; readonly slug: string };
  readonly user: { readonly id: string; readonly subject: string };
}

const UUID = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i;
/** What the operations work on: https://www.postgresql.org/docs/16/functions-info.html has to_regclass */
const TABLES = ["public.tenants", "public.users", "public.memberships"];

/** @throws UserError where the database has no such tables. */
export async function requireTables(client: Client): Promise<void> {
  const { rows } = await client.query<{ name: string }>(
    "SELECT name FROM unnest($1::text[]) AS name WHERE to_regclass(name) IS NULL",
    [TABLES],
  );
  if (rows.length === 0) return;
  const missing = rows.map(({ name }) => name).join(", ");
  throw new UserError(
    `the database has no table ${missing}: memberships are in public.tenants (id, slug), public.users (id, subject) and public.memberships (tenant_id, user_id, role)`,
  );
}

/** Finds a tenant by slug or id, and a user by external subject or id. @throws UserError naming the one that is not there. */
export async function findParties(client: Client, tenantRef: string, userRef: string): Promise<Parties> {
  const tenants = await client.query<Parties["tenant"]>(
    "SELECT id::text, slug FROM public.tenants WHERE slug = $1 OR id::text = $2 ORDER BY slug = $1 DESC",
    [tenantRef, idOf(tenantRef)],
  );
  const users = await client.query<Parties["user"]>(
    "SELECT id::text, subject FROM public.users WHERE subject = $1 OR id::text = $2 ORDER BY subject = $1 DESC",
    [userRef, idOf(userRef)],
  );
  const [tenant] = tenants.rows;
  const [user] = users.rows;
  if (tenant === undefined) {
    throw new UserError(`--tenant-ref ${JSON.stringify(tenantRef)}: no tenant has this slug or id`);
  }
  if (user === undefined) {
    throw new UserError(`--user-ref ${JSON.stringify(userRef)}: no user has this external subject or id`);
  }
  return { tenant, user };
}

/** An id as the database writes it; null for what is none. */
function idOf(reference: string): string | null {
  return UUID.test(reference) ? reference.toLowerCase() : null;
}
