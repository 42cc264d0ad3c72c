import { UserError } from "../../operations/user-error.ts";
import { ask } from "../ask.ts";
import { UsageError } from "../exit-codes.ts";

/** Goes on where the user says so. @throws UsageError where there is no terminal, UserError for a no. */
export async function confirm(question: string, yes: boolean): Promise<void> {
  if (yes) return;
  if (!process.stdin.isTTY) throw new UsageError("not a terminal: pass --yes to go on without being asked");
  if (!(await ask(question))) throw new UserError("nothing was changed");
}
