import type { QueryResultRow } from "pg";
import type { RoleKind } from "../roles.ts";
import type { Credential, ServerTrust, Target } from "../target.ts";
import type { BackupFolder } from "./backup-folder.ts";
import type { InsideView } from "./inside.ts";
import type { DiskUse, Finding } from "./report.ts";
import type { HealthThresholds } from "./thresholds.ts";

/** When backups should be made; they are entered in the folder that the server's container has for them. */
export interface BackupPlan {
  /** Cron line of the schedule. */
  readonly schedule: string;
  /** Id of the folder that they were in when the stack was brought up last. Absent: it is not known. */
  readonly folder?: string;
}

/** One role's connection, shared by the checks that use it; queries run one after another. */
export interface Session {
  query<Row extends QueryResultRow>(sql: string): Promise<Row[]>;
}

/** What a check works with. */
export interface CheckContext {
  readonly target: Target;
  readonly credentials: Readonly<Record<RoleKind, Credential>>;
  readonly trust: ServerTrust | undefined;
  readonly thresholds: HealthThresholds;
  readonly backup: BackupPlan | undefined;
  /** Milliseconds that the check may take. */
  readonly timeoutMilliseconds: number;
  readonly now: Date;
  /** The role's connection, made at the first call. Rejects with {@link NoSession} when there is none. */
  session(kind: RoleKind): Promise<Session>;
  /** What the container itself says; asked once. */
  inside(): Promise<InsideView>;
  /** What is written in the backup folder; asked once. */
  backupFolder(): Promise<BackupFolder>;
  /** Facts that belong to the report as a whole. */
  readonly facts: { serverVersion?: string; disk?: DiskUse };
}

/** One check. Its probing reads the server, its evaluation is a pure function of what was read. */
export interface HealthCheck {
  readonly name: string;
  /** Part of the quick form too. */
  readonly quick: boolean;
  /** Throws when it can't be carried out, which counts as failed. */
  run(context: CheckContext): Promise<Finding>;
}

/** Thrown when a role's connection could not be made; the check `query as …` reports the cause. */
export class NoSession extends Error {
  override readonly name = "NoSession";
}

/** The only row of a query that always has one. */
export async function singleRow<Row extends QueryResultRow>(session: Session, sql: string): Promise<Row> {
  const [row] = await session.query<Row>(sql);
  if (row === undefined) throw new Error("the server answered a query with no row");
  return row;
}
