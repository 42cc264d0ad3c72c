import { queryAsSuperuser } from "../../operations/superuser.ts";
import type { LiveStack } from "./security/live-stack.ts";

/** The rows of the table that tests of a restore write, one after each step: which are there tells what the data is. */
export async function rounds({ target }: LiveStack): Promise<number[]> {
  const sql = "SELECT n FROM public.rounds ORDER BY n";
  const rows = await queryAsSuperuser<{ n: number }>(target, sql, { database: target.database });
  return rows.map(({ n }) => n);
}
