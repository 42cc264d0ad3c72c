import { isGood, newestOfEach, warningsOf } from "../agent/entry.ts";
import type { AgentStatus } from "../agent/status.ts";
import type { HealthReport } from "./health.ts";
import { notProtected, type ProtectionState } from "./storage-protection.ts";

/** One point of the list. */
export interface RecoveryPoint {
  readonly point: string;
  readonly status: "ok" | "warning" | "failed" | "not applicable";
  readonly message: string;
}

const DAY_MILLISECONDS = 86_400_000;
const OLDEST_BACKUP_DAYS = 2;
const OLDEST_DRILL_DAYS = 8;

/**
 * Whether a disaster of this very moment could be recovered from: each point by itself, none left out.
 *
 * @param status What the agent tells.
 * @param health A full report on the server.
 * @param protection How the object storage keeps what is deleted, or why that is not known; absent: it does not.
 */
export function checkRecovery(
  status: AgentStatus,
  health: HealthReport,
  now: Date,
  protection?: ProtectionState | Error,
): RecoveryPoint[] {
  return [
    lastGood(status, now, "logical"),
    lastGood(status, now, "physical"),
    allGood(status),
    asAtSource(status),
    archiveWhole(status),
    archiveCurrent(status),
    drilled(status, now),
    offHost(status),
    undeletable(status, protection),
    noRestoreOpen(status),
    standby(health),
    server(health),
  ];
}

/** The report as Markdown. */
export function recoveryReport(stack: string, points: readonly RecoveryPoint[], now: Date): string {
  const rows = points.map(
    ({ point, status, message }) => `| ${point} | ${status} | ${message.replaceAll("|", "\\|")} |`,
  );
  const failed = points.filter(({ status }) => status === "failed").length;
  const verdict =
    failed === 0 ? "The stack can be recovered." : `${failed} of ${points.length} points failed.`;
  return [
    `# Disaster recovery check of stack ${stack}`,
    "",
    `${now.toISOString()}. ${verdict}`,
    "",
    "| point | status | found |",
    "|---|---|---|",
    ...rows,
    "",
  ].join("\n");
}

function lastGood({ backups }: AgentStatus, now: Date, form: "logical" | "physical"): RecoveryPoint {
  const point = `last good ${form} backup`;
  const entry = backups.findLast(
    (candidate) =>
      (candidate.kind === "logical") === (form === "logical") &&
      candidate.abandoned !== true &&
      isGood(candidate),
  );
  if (entry === undefined) return { point, status: "failed", message: "there is none" };
  const days = (now.getTime() - Date.parse(entry.finishedAt)) / DAY_MILLISECONDS;
  const message = `${entry.id}, ${days.toFixed(1)} days old`;
  return { point, status: days > OLDEST_BACKUP_DAYS ? "failed" : "ok", message };
}

function allGood({ backups, problems }: AgentStatus): RecoveryPoint {
  const point = "every backup is good";
  const bad = backups.filter((entry) => !isGood(entry)).map(({ id }) => id);
  if (problems.length > 0) return { point, status: "failed", message: problems.join("; ") };
  return bad.length === 0
    ? { point, status: "ok", message: `${backups.length} backups` }
    : { point, status: "warning", message: `not good: ${bad.join(", ")}` };
}

function asAtSource({ backups }: AgentStatus): RecoveryPoint {
  const point = "nothing odd in the database";
  const newest = newestOfEach(backups);
  if (newest.length === 0) return { point, status: "not applicable", message: "there is no backup" };
  const warnings = [...new Set(newest.flatMap(warningsOf))];
  return warnings.length === 0
    ? { point, status: "ok", message: "at the newest backups" }
    : { point, status: "warning", message: warnings.join("; ") };
}

function archiveWhole({ archive }: AgentStatus): RecoveryPoint {
  const point = "write-ahead log without a gap";
  if (archive === undefined) return { point, status: "failed", message: "the archive cannot be looked at" };
  const missing = archive.gaps.flatMap(({ repository, segments }) =>
    segments.map((one) => `${one} (${repository})`),
  );
  return missing.length === 0
    ? { point, status: "ok", message: `up to ${archive.lastSegment ?? "nothing yet"}` }
    : { point, status: "failed", message: `missing: ${missing.join(", ")}` };
}

function archiveCurrent({ archive }: AgentStatus): RecoveryPoint {
  const point = "archive up to date";
  if (archive === undefined) return { point, status: "failed", message: "the archive cannot be looked at" };
  if (archive.failing)
    return { point, status: "failed", message: `the last attempt failed, ${archive.waiting} segments wait` };
  return {
    point,
    status: archive.waiting > 2 ? "warning" : "ok",
    message: `${archive.waiting} segments wait`,
  };
}

function drilled({ drill }: AgentStatus, now: Date): RecoveryPoint {
  const point = "restore proven by a drill";
  if (drill === undefined) return { point, status: "failed", message: "never: pgstack drill" };
  const days = (now.getTime() - Date.parse(drill.at)) / DAY_MILLISECONDS;
  const found = `${days.toFixed(1)} days ago`;
  if (drill.result === "failed")
    return { point, status: "failed", message: `${found}: ${drill.message ?? "failed"}` };
  const times = `RTO ${drill.rtoSeconds?.toFixed(1)} s, RPO ${drill.rpoSeconds?.toFixed(1) ?? "unknown"} s`;
  return { point, status: days > OLDEST_DRILL_DAYS ? "warning" : "ok", message: `${found}, ${times}` };
}

function offHost({ backups }: AgentStatus): RecoveryPoint {
  const point = "a copy off this host";
  return backups.some(({ repositories }) => repositories.some((name) => name !== "local"))
    ? { point, status: "ok", message: "in the object storage" }
    : { point, status: "warning", message: "all backups are on the Docker host: set pgstack:backupS3" };
}

function undeletable(
  { backups }: AgentStatus,
  protection: ProtectionState | Error | undefined,
): RecoveryPoint {
  const point = "a copy that the stack's key cannot delete";
  if (protection instanceof Error) return { point, status: "failed", message: protection.message };
  if (protection !== undefined) {
    return protection.problems.length === 0
      ? { point, status: "ok", message: `versions in bucket ${protection.bucket} (${protection.mode})` }
      : { point, status: "failed", message: notProtected(protection) };
  }
  const message = backups.some(({ repositories }) => repositories.includes("s3"))
    ? "who takes over the agent can delete the object storage's backups as well: set pgstack:backupS3.protection"
    : "all backups are within reach of the Docker host: set pgstack:backupS3, with protection";
  return { point, status: "warning", message };
}

function noRestoreOpen({ restore, kept, lineage }: AgentStatus): RecoveryPoint {
  const point = "no restore left open";
  if (restore?.phase === "failed verification") {
    return {
      point,
      status: "warning",
      message: `the cluster of ${restore.id} failed verification and is kept: pgstack restore --resume`,
    };
  }
  if (restore === undefined && lineage?.owed !== undefined) {
    const message = `${lineage.owed.by} owes a full backup since ${lineage.owed.since}: pgstack restore --resume takes it`;
    return { point, status: "warning", message };
  }
  if (restore !== undefined) {
    return {
      point,
      status: "failed",
      message: `${restore.id} is not finished (${restore.phase}): pgstack restore --resume`,
    };
  }
  return {
    point,
    status: "ok",
    message: kept.length === 0 ? "none" : `the state before ${kept.join(", ")} is kept`,
  };
}

function standby({ checks }: HealthReport): RecoveryPoint {
  const found = checks.find(({ name }) => name === "replication lag");
  return {
    point: "standby caught up",
    status: found?.status ?? "not applicable",
    message: found?.message ?? "not looked at",
  };
}

function server({ status, checks }: HealthReport): RecoveryPoint {
  const failed = checks
    .filter((one) => one.status === "failed")
    .map(({ name, message }) => `${name}: ${message}`);
  return {
    point: "server healthy",
    status,
    message: failed.length === 0 ? `${checks.length} checks` : failed.join("; "),
  };
}
