import { SLOT } from "../agent/stream/slot.ts";
import { literal } from "./sql.ts";
import { queryAsSuperuser } from "./superuser.ts";
import type { Target } from "./target.ts";

/** Drops the slot of a stack's agent that is there no more, or the server would keep the log for it, up to its limit. */
export async function releaseLog(target: Target): Promise<void> {
  await queryAsSuperuser(
    target,
    `SELECT pg_drop_replication_slot(slot_name) FROM pg_replication_slots WHERE slot_name = ${literal(SLOT)} AND NOT active`,
  );
}
