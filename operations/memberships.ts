import type { Client } from "pg";
import type { TenantTuples, TupleChanges } from "./memberships/openfga.ts";
import {
  forgetPending,
  listPending,
  lockMembership,
  MAKE_OUTBOX,
  notePending,
  type Pending,
} from "./memberships/outbox.ts";
import { findParties, type Parties, requireTables } from "./memberships/references.ts";
import type { MemberRole, TargetRole } from "./memberships/roles.ts";
import { UserError } from "./user-error.ts";

export { type OpenFgaPlace, TenantTuples, type TupleChanges } from "./memberships/openfga.ts";
export { MEMBER_ROLES, type MemberRole, type TargetRole } from "./memberships/roles.ts";

/** What {@link rollBackMembership} is to do. */
export interface RollbackOptions {
  /** Slug or id. */
  readonly tenantRef: string;
  /** External subject or id. */
  readonly userRef: string;
  readonly targetRole: TargetRole;
  /** Tell OpenFGA of it: noted in the same transaction, for {@link tellOpenFga}. */
  readonly sync: boolean;
  /** Take the last owner away from a tenant. */
  readonly force: boolean;
  readonly dryRun: boolean;
}

/** What was changed, or would be. */
export interface Rollback extends Parties {
  /** The role before; `none`: no membership. */
  readonly from: TargetRole;
  readonly to: TargetRole;
}

/**
 * Gives a member of a tenant another role, makes one of a user that is none, or ends a membership; in one transaction, and
 * the same again changes nothing.
 *
 * @throws UserError for an unknown tenant or user, and where a tenant would be left without an owner.
 */
export async function rollBackMembership(client: Client, options: RollbackOptions): Promise<Rollback> {
  const { targetRole: to, sync, force, dryRun } = options;
  await requireTables(client);
  const parties = await findParties(client, options.tenantRef, options.userRef);
  const membership = { tenantId: parties.tenant.id, userId: parties.user.id };
  if (sync && !dryRun) await client.query(MAKE_OUTBOX);
  await client.query("BEGIN");
  try {
    await lockMembership(client, membership);
    // Two that take away an owner each would else leave none.
    await client.query("SELECT FROM public.tenants WHERE id = $1 FOR UPDATE", [membership.tenantId]);
    const from = await roleOf(client, membership);
    if (from === "owner" && to !== "owner" && !force) await requireOtherOwner(client, parties);
    if (from !== to) await change(client, membership, to);
    if (sync && !dryRun) await notePending(client, membership);
    await client.query(dryRun ? "ROLLBACK" : "COMMIT");
    return { ...parties, from, to };
  } catch (error) {
    await client.query("ROLLBACK");
    throw error;
  }
}

/** What OpenFGA was told of. */
export interface Told extends Pending, TupleChanges {
  readonly role: TargetRole;
}

/**
 * Tells OpenFGA of every membership that is noted, each as it is in the database now. What cannot be told stays noted, and
 * the next run tells it.
 *
 * @throws UserError when the server cannot be reached or refuses.
 */
export async function tellOpenFga(client: Client, tuples: TenantTuples): Promise<Told[]> {
  const told: Told[] = [];
  for (const membership of await listPending(client)) {
    await client.query("BEGIN");
    try {
      await lockMembership(client, membership);
      const role = await roleOf(client, membership);
      told.push({ ...membership, role, ...(await tuples.bring(membership, role)) });
      await forgetPending(client, membership);
      await client.query("COMMIT");
    } catch (error) {
      await client.query("ROLLBACK");
      throw error;
    }
  }
  return told;
}

async function roleOf(client: Client, { tenantId, userId }: Pending): Promise<TargetRole> {
  const { rows } = await client.query<{ role: MemberRole }>(
    "SELECT role::text FROM public.memberships WHERE tenant_id = $1 AND user_id = $2",
    [tenantId, userId],
  );
  return rows[0]?.role ?? "none";
}

async function requireOtherOwner(client: Client, { tenant, user }: Parties): Promise<void> {
  const { rowCount } = await client.query(
    "SELECT FROM public.memberships WHERE tenant_id = $1 AND user_id <> $2 AND role::text = 'owner' LIMIT 1",
    [tenant.id, user.id],
  );
  if (rowCount !== 0) return;
  throw new UserError(
    `nothing was changed: ${user.subject} is the last owner of tenant ${tenant.slug}; make another one first (--target-role owner), or leave it without by --force`,
  );
}

async function change(client: Client, { tenantId, userId }: Pending, to: TargetRole): Promise<void> {
  if (to === "none") {
    await client.query("DELETE FROM public.memberships WHERE tenant_id = $1 AND user_id = $2", [
      tenantId,
      userId,
    ]);
    return;
  }
  await client.query(
    `INSERT INTO public.memberships (tenant_id, user_id, role) VALUES ($1, $2, $3)
       ON CONFLICT (tenant_id, user_id) DO UPDATE SET role = excluded.role`,
    [tenantId, userId, to],
  );
}
