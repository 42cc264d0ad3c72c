import type { Client } from "pg";
import type { Target } from "../operations/target.ts";

/** A stack with a session of its administrator. */
export interface AdministratorSession {
  readonly client: Client;
  readonly target: Target;
  readonly logsDirectory: string;
  readonly hasBackups: boolean;
  /** Names of the roles that use what the administrator makes. */
  readonly users: { readonly application: string; readonly readonly: string };
  /** Ends the statement that another session of this stack is at. */
  readonly cancel: (processId: number) => Promise<void>;
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
  const { target, credentials, trust, logsDirectory, backupSchedule, roles: users } = found;
  const open = async () => {
    const client = await connect(target, credentials.administrator, trust, {
      applicationName: `pgstack ${command}`,
    });
    client.on("error", () => {});
    return client;
  };
  const cancel = async (processId: number) => {
    const second = await open();
    await second.query("SELECT pg_cancel_backend($1)", [processId]);
    await second.end();
  };
  const client = await open();
  try {
    const hasBackups = backupSchedule !== undefined;
    return await work({ client, target, logsDirectory, hasBackups, users, cancel });
  } finally {
    await client.end();
  }
}
