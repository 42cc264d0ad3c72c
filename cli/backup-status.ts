import { newestOfEach } from "../agent/entry.ts";
import { describePointsInTime } from "../agent/point-in-time.ts";
import type { AgentStatus } from "../agent/status.ts";
import { firstLines } from "../agent/verification/outcome.ts";
import { errorLine } from "../operations/user-error.ts";
import { sourceWarnings } from "./backup-table.ts";
import { formatDuration, harmless, statusText, styled } from "./print.ts";
import type { Stack } from "./stack.ts";

/** How backups stand, as the agent tells it; a message where it cannot be asked; undefined where there are none. */
export async function readBackupStatus({
  target,
  backupSchedule,
}: Stack): Promise<AgentStatus | { readonly unknown: string } | undefined> {
  if (backupSchedule === undefined) return undefined;
  const { callAgent } = await import("../operations/agent.ts");
  return callAgent<AgentStatus>(target, "status").catch((error: unknown) => ({ unknown: errorLine(error) }));
}

/** The lines that `pgstack status` has about backups. */
export function backupLines(
  status: AgentStatus | { readonly unknown: string } | undefined,
  now: Date,
): (readonly [string, string])[] {
  if (status === undefined) return [["backups", styled("yellow", "none: pgstack:backup is false")]];
  if ("unknown" in status) return [["backups", `${statusText("unknown")}: ${harmless(status.unknown)}`]];
  const ago = (time: string) =>
    `${formatDuration(Math.max(0, (now.getTime() - Date.parse(time)) / 1_000))} ago`;
  const { archive, drill } = status;
  const newest = (["logical", "physical"] as const).map((form) => {
    const entry = status.backups.findLast(
      ({ kind, verification }) =>
        (kind === "logical") === (form === "logical") && verification.result === "ok",
    );
    return entry === undefined ? `${form} ${statusText("none")}` : `${entry.kind} ${ago(entry.finishedAt)}`;
  });
  const points = describePointsInTime(status.backups);
  const warnings = sourceWarnings(newestOfEach(status.backups));
  const failed = status.lastRuns.at(-1)?.result === "failed" ? status.lastRuns.at(-1) : undefined;
  return [
    ["backups", `${status.backups.length}, newest: ${newest.join(", ")}; next ${status.nextBackup}`],
    ...(failed === undefined
      ? []
      : [
          [
            "",
            `${statusText("failed")}: ${failed.task} ${ago(failed.at)}: ${harmless(failed.message)}`,
          ] as const,
        ]),
    ...(archive === undefined
      ? []
      : [
          [
            "archive",
            archiveText(
              archive,
              archive.lastArchivedAt === undefined
                ? `no segment since the server began to count ${ago(archive.since)}`
                : `last segment ${ago(archive.lastArchivedAt)}`,
            ) + recoveryPointText(status.recoveryPoint),
          ] as const,
        ]),
    ...(points === undefined ? [] : [["point in time", points] as const]),
    [
      "drill",
      drill === undefined
        ? "none yet"
        : drill.result === "failed"
          ? `${statusText("failed")} ${ago(drill.at)}: ${harmless(drill.message ?? "")}`
          : `${statusText("ok")} ${ago(drill.at)}, RTO ${drill.rtoSeconds?.toFixed(1)} s, RPO ${drill.rpoSeconds?.toFixed(1) ?? "?"} s`,
    ],
    ...(warnings.length === 0
      ? []
      : [["", `${statusText("warning")}: ${harmless(firstLines(warnings))}`] as const]),
    ...(status.lineage?.owed === undefined
      ? []
      : [
          [
            "full backup",
            `${statusText("owed")} since ${status.lineage.owed.since}, by ${harmless(status.lineage.owed.by)}: the agent goes on trying, pgstack restore --resume takes it now`,
          ] as const,
        ]),
    ...restoreLine(status),
    ...(status.kept.length === 0
      ? []
      : [
          [
            "kept",
            `the state before ${status.kept.length} restore${status.kept.length === 1 ? "" : "s"}: pgstack restore --forget`,
          ] as const,
        ]),
    ...status.problems.map((problem) => ["", `${statusText("failed")}: ${harmless(problem)}`] as const),
  ];
}

function restoreLine({ restore, holder }: AgentStatus): (readonly [string, string])[] {
  if (restore === undefined) return [];
  if (holder?.purpose.startsWith("restore ") === true)
    return [["restore", `${harmless(holder.purpose)} runs since ${holder.since ?? restore.startedAt}`]];
  const state =
    restore.phase === "failed verification"
      ? `${statusText("failed verification")}, its cluster is kept`
      : `${statusText("interrupted")} (${restore.phase})`;
  return [["restore", `${state}: pgstack restore --resume`]];
}

/** What the loss of the host would cost now. */
function recoveryPointText(point: AgentStatus["recoveryPoint"]): string {
  return point === undefined ? "" : `, recovery point ${point.seconds.toFixed(1)} s`;
}

function archiveText(archive: NonNullable<AgentStatus["archive"]>, last: string): string {
  if (archive.failing) return `${statusText("failing")}, ${last}, ${archive.waiting} wait`;
  const gaps = archive.gaps.flatMap(({ segments }) => segments);
  if (gaps.length > 0) return `${statusText("gap")}: ${gaps.slice(0, 3).join(", ")}`;
  return `${statusText("ok")}, ${last}${archive.waiting > 1 ? `, ${archive.waiting} wait` : ""}`;
}
