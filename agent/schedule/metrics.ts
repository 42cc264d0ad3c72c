import { join } from "node:path";
import type { AgentConfiguration } from "../configuration.ts";
import type { Context } from "../context.ts";
import { lastDrill } from "../drill.ts";
import { isGood } from "../entry.ts";
import { writeWhole } from "../files.ts";
import { readBackups } from "../metadata.ts";
import type { RunRecord } from "./state.ts";

/**
 * Writes what a monitoring system asks about backups, in Prometheus' text form, for a collector of text files.
 *
 * Source: https://prometheus.io/docs/instrumenting/exposition_formats/
 */
export async function writeMetrics(
  configuration: AgentConfiguration,
  record: RunRecord,
  context: Pick<Context, "signal">,
): Promise<void> {
  const { entries } = await readBackups(configuration, context);
  const { stack, backupDirectory } = configuration;
  const lines: string[] = [];
  const gauge = (name: string, help: string, values: readonly (readonly [string, number])[]) => {
    if (values.length === 0) return;
    lines.push(`# HELP ${name} ${help}`, `# TYPE ${name} gauge`);
    for (const [labels, value] of values) lines.push(`${name}{stack="${stack}"${labels}} ${value}`);
  };
  const newest = new Map(entries.filter(isGood).map((entry) => [entry.kind, entry]));
  const ofNewest = (value: (entry: (typeof entries)[number]) => number) =>
    [...newest].map(([kind, entry]) => [`,kind="${kind}"`, value(entry)] as const);
  gauge(
    "pgstack_backup_last_success_timestamp_seconds",
    "End of the newest good backup.",
    ofNewest(({ finishedAt }) => Date.parse(finishedAt) / 1_000),
  );
  gauge(
    "pgstack_backup_last_bytes",
    "Stored size of the newest good backup.",
    ofNewest(({ bytes }) => bytes),
  );
  gauge(
    "pgstack_backup_last_duration_seconds",
    "Duration of the newest good backup.",
    ofNewest(({ startedAt, finishedAt }) => (Date.parse(finishedAt) - Date.parse(startedAt)) / 1_000),
  );
  gauge("pgstack_backups", "Backups that are there.", [["", entries.length]]);
  gauge("pgstack_scheduled_run_success", "Whether the last scheduled run did its work.", [
    [`,task="${record.task}"`, record.result === "ok" ? 1 : 0],
  ]);
  const proof = await lastDrill(configuration);
  if (proof !== undefined) {
    const at = Date.parse(proof.at) / 1_000;
    gauge("pgstack_drill_success", "Whether the last restore drill succeeded.", [
      ["", proof.result === "ok" ? 1 : 0],
    ]);
    gauge("pgstack_drill_timestamp_seconds", "When the last restore drill began.", [["", at]]);
    if (proof.rtoSeconds !== undefined) {
      gauge("pgstack_drill_rto_seconds", "Time to the first query of the last drill.", [
        ["", proof.rtoSeconds],
      ]);
    }
    if (proof.rpoSeconds !== undefined) {
      gauge("pgstack_drill_rpo_seconds", "Commits that were not in the backup place at the last drill.", [
        ["", proof.rpoSeconds],
      ]);
    }
  }
  await writeWhole(join(backupDirectory, "state", "metrics.prom"), `${lines.join("\n")}\n`, 0o644);
}
