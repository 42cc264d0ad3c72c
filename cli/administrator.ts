import type { Client } from "pg";
import type { Target } from "../operations/target.ts";

/** A stack with a session of its administrator. */
export interface AdministratorSession {
  readonly client: Client;
  readonly target: Target;
  readonly logsDirectory: string;
  readonly hasBackups: boolean;
}

/** Does work in a session of a stack's administrator, named after the command in pg_stat_activity. */
export async function withAdministrator<Value>(
  stack: string,
  command: string,
  work: (session: AdministratorSession) => Promise<Value>,
): Promise<Value> {
  const { readStackWithCredentials, requireStackEngine } = await import("./stack.ts");
  const { connect } = await import("../operations/connection.ts");
  const found = await readStackWithCredentials(stack);
  await requireStackEngine(found);
  const { target, credentials, trust, logsDirectory, backupSchedule } = found;
  const client = await connect(target, credentials.administrator, trust, {
    applicationName: `pgstack ${command}`,
  });
  client.on("error", () => {});
  try {
    return await work({ client, target, logsDirectory, hasBackups: backupSchedule !== undefined });
  } finally {
    await client.end();
  }
}
