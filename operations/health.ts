import { agentAtWork } from "./health/agent-at-work.ts";
import { archiveLag } from "./health/archive-lag.ts";
import { backupAge } from "./health/backup-age.ts";
import { backupContents } from "./health/backup-contents.ts";
import { type BackupFolder, NoAgent, readBackupFolder } from "./health/backup-folder.ts";
import { backupHeadroom } from "./health/backup-headroom.ts";
import { backupProtection } from "./health/backup-protection.ts";
import { certificateDays } from "./health/certificate-days.ts";
import { type BackupPlan, type CheckContext, type HealthCheck, NoSession } from "./health/check.ts";
import { checksumFailures } from "./health/checksum-failures.ts";
import { configurationFiles } from "./health/configuration-files.ts";
import { connectionHeadroom } from "./health/connection-headroom.ts";
import { diskHeadroom } from "./health/disk-headroom.ts";
import { type InsideView, lookInside } from "./health/inside.ts";
import { pendingRestart } from "./health/pending-restart.ts";
import { readiness } from "./health/readiness.ts";
import { recoveryPoint } from "./health/recovery-point.ts";
import { replicationLag } from "./health/replication-lag.ts";
import { type Finding, type HealthCheckResult, type HealthReport, worstStatus } from "./health/report.ts";
import { restoreDrill } from "./health/restore-drill.ts";
import { roleQuery } from "./health/role-query.ts";
import { serverVersion } from "./health/server-version.ts";
import { Sessions } from "./health/sessions.ts";
import { DEFAULT_THRESHOLDS, type HealthThresholds } from "./health/thresholds.ts";
import { transactionIdAge } from "./health/transaction-id-age.ts";
import { writeProbe } from "./health/write-probe.ts";
import { redactText } from "./redaction.ts";
import type { RoleKind } from "./roles.ts";
import type { Credential, ServerTrust, Target } from "./target.ts";
import { errorLine } from "./user-error.ts";
import { withinTime } from "./within-time.ts";

export type { BackupPlan } from "./health/check.ts";
export type { DiskUse, HealthCheckResult, HealthReport, HealthStatus } from "./health/report.ts";
export { DEFAULT_THRESHOLDS, type HealthThresholds } from "./health/thresholds.ts";
export type { RoleKind } from "./roles.ts";

/** What {@link checkHealth} needs and may change. */
export interface HealthOptions {
  readonly credentials: Readonly<Record<RoleKind, Credential>>;
  /** Absent: TLS is off. */
  readonly trust?: ServerTrust;
  /** True: every check. False: the quick form (readiness, query as administrator, connections, disks, version). */
  readonly full: boolean;
  /** Replace single defaults. */
  readonly thresholds?: Partial<HealthThresholds>;
  /** Absent: no backups are scheduled. */
  readonly backup?: BackupPlan;
  /** Milliseconds that each check may take. Default: 5,000. */
  readonly timeoutMilliseconds?: number;
  /** Default: now. */
  readonly now?: Date;
}

const DEFAULT_TIMEOUT_MILLISECONDS = 5_000;

/** All checks, in the order in which they are reported. */
const CHECKS: readonly HealthCheck[] = [
  readiness,
  roleQuery("administrator"),
  roleQuery("application"),
  roleQuery("readonly"),
  writeProbe,
  serverVersion,
  diskHeadroom,
  backupHeadroom,
  connectionHeadroom,
  replicationLag,
  archiveLag,
  recoveryPoint,
  transactionIdAge,
  agentAtWork,
  backupAge,
  backupContents,
  backupProtection,
  restoreDrill,
  certificateDays,
  checksumFailures,
  pendingRestart,
  configurationFiles,
];

/**
 * Checks a server from all sides, at once, each check in its own time limit and independent of the others.
 *
 * Never throws for what is wrong with the server: that is in the report. A check that needs a connection which could
 * not be made is `not applicable`; the failed sign-in itself is reported once, by `query as …`.
 */
export async function checkHealth(target: Target, options: HealthOptions): Promise<HealthReport> {
  const started = performance.now();
  const timeoutMilliseconds = options.timeoutMilliseconds ?? DEFAULT_TIMEOUT_MILLISECONDS;
  const sessions = new Sessions(target, options.credentials, options.trust, timeoutMilliseconds);
  const now = options.now ?? new Date();
  let inside: Promise<InsideView> | undefined;
  let backupFolder: Promise<BackupFolder> | undefined;
  const context: CheckContext = {
    target,
    credentials: options.credentials,
    trust: options.trust,
    thresholds: { ...DEFAULT_THRESHOLDS, ...options.thresholds },
    backup: options.backup,
    timeoutMilliseconds,
    now,
    session: (kind) => sessions.of(kind),
    inside: () => {
      inside ??= lookInside(target, options.credentials.administrator.role, timeoutMilliseconds);
      return inside;
    },
    backupFolder: () => {
      backupFolder ??= readBackupFolder(target, timeoutMilliseconds);
      return backupFolder;
    },
    facts: {},
  };
  const secrets = Object.values(options.credentials).map(({ password }) => password);
  const wanted = CHECKS.filter(({ quick }) => quick || options.full);
  const checks = await Promise.all(wanted.map((check) => runCheck(check, context, secrets)));
  await sessions.close();
  return {
    stack: target.stack,
    at: now.toISOString(),
    status: worstStatus(checks),
    serverVersion: context.facts.serverVersion,
    disk: context.facts.disk,
    durationMilliseconds: Math.round(performance.now() - started),
    checks,
  };
}

async function runCheck(
  check: HealthCheck,
  context: CheckContext,
  secrets: readonly string[],
): Promise<HealthCheckResult> {
  const started = performance.now();
  const finding = await withinTime(check.run(context), context.timeoutMilliseconds, "the check").catch(
    (error: unknown): Finding => {
      if (error instanceof NoSession || error instanceof NoAgent)
        return { status: "not applicable", message: `not checked: ${error.message}` };
      return { status: "failed", message: errorLine(error) };
    },
  );
  const message = redactText(finding.message, secrets).replaceAll(/\s+/g, " ").trim();
  const durationMilliseconds = Math.round(performance.now() - started);
  return { name: check.name, ...finding, message, durationMilliseconds };
}
