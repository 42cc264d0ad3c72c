import type { Client } from "pg";

/** Schema of what is still to be told to OpenFGA: in the database itself, so that it commits with what it is about. */
const SCHEMA = "pgstack_memberships";
const OUTBOX = `${SCHEMA}.outbox`;
/** Any number will do, as long as every run takes the same. */
const LOCK_SPACE = 720_575;

/** A membership that OpenFGA may not know as it is. */
export interface Pending {
  readonly tenantId: string;
  readonly userId: string;
}

/** What makes the table; it may be there. */
export const MAKE_OUTBOX = `CREATE SCHEMA IF NOT EXISTS ${SCHEMA};
CREATE TABLE IF NOT EXISTS ${OUTBOX} (
  tenant_id uuid NOT NULL, user_id uuid NOT NULL, noted_at timestamptz NOT NULL DEFAULT clock_timestamp(),
  PRIMARY KEY (tenant_id, user_id));`;

/** Notes a membership, in the transaction of its change. */
export async function notePending(client: Client, { tenantId, userId }: Pending): Promise<void> {
  await client.query(
    `INSERT INTO ${OUTBOX} (tenant_id, user_id) VALUES ($1, $2)
       ON CONFLICT (tenant_id, user_id) DO UPDATE SET noted_at = clock_timestamp()`,
    [tenantId, userId],
  );
}

/** What is noted, the oldest first. */
export async function listPending(client: Client): Promise<Pending[]> {
  const { rows: there } = await client.query<{ there: boolean }>(
    `SELECT to_regclass('${OUTBOX}') IS NOT NULL AS there`,
  );
  if (there[0]?.there !== true) return [];
  const { rows } = await client.query<Pending>(
    `SELECT tenant_id::text AS "tenantId", user_id::text AS "userId" FROM ${OUTBOX} ORDER BY noted_at`,
  );
  return rows;
}

export async function forgetPending(client: Client, { tenantId, userId }: Pending): Promise<void> {
  await client.query(`DELETE FROM ${OUTBOX} WHERE tenant_id = $1 AND user_id = $2`, [tenantId, userId]);
}

/** Until the transaction ends, nobody else changes this membership or tells OpenFGA of it by these operations. */
export async function lockMembership(client: Client, { tenantId, userId }: Pending): Promise<void> {
  await client.query(`SELECT pg_advisory_xact_lock(${LOCK_SPACE}, hashtext($1))`, [`${tenantId}/${userId}`]);
}
