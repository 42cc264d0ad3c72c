import type { Change, Finding } from "./changes.ts";

/** What is told of one stack. */
export interface Report {
  readonly stack: string;
  /** Why the base could not be brought up, or the preview failed; empty: it did not. */
  readonly errors: readonly string[];
  readonly changes: readonly Change[];
  readonly findings: readonly Finding[];
  /** Seconds that a restart of the server takes here; undefined: nothing restarts it. */
  readonly restartSeconds?: number;
  /** The whole preview. */
  readonly text: string;
}

/** A comment must fit into what a forge takes. */
const LONGEST_DIFF = 40_000;
const MOST_NAMED = 10;
const FLAGS = ["data at risk", "deletion", "replacement"] as const;

/** The comment on a change, in Markdown: what is dangerous first, the whole diff folded. */
export function comment(
  base: string,
  head: string,
  reports: readonly Report[],
  changedCode: readonly string[] = [],
): string {
  const title = `### Preview of ${head.slice(0, 12)} on ${base.slice(0, 12)}`;
  return `${[...warning(changedCode), title, ...reports.map(section)].join("\n\n")}\n`;
}

/** What a change says of itself is worth no more than its code. */
function warning(changedCode: readonly string[]): string[] {
  if (changedCode.length === 0) return [];
  const names = changedCode.slice(0, MOST_NAMED).map((name) => `\`${inline(name).replaceAll("`", "'")}\``);
  const more = changedCode.length > MOST_NAMED ? ` and ${changedCode.length - MOST_NAMED} more` : "";
  return [
    `**This branch changes code that runs in this preview** (${names.join(", ")}${more}): what follows is what that code makes of itself. Read it first.`,
  ];
}

/** Whether a change must not be merged as it is. */
export function isRefused({ errors, findings }: Report): boolean {
  return errors.length > 0 || findings.some(({ level }) => level === "mandatory");
}

function section(report: Report): string {
  const { stack, errors, changes, findings, restartSeconds, text } = report;
  const flags = [
    ...errors.map((error) => `- **fails**: ${inline(error)}`),
    ...FLAGS.flatMap((weight) => {
      const names = changes
        .filter((change) => change.weight === weight)
        .map(({ resource }) => `\`${resource}\``);
      return names.length === 0 ? [] : [`- **${weight}**: ${names.join(", ")}`];
    }),
    ...findings.map(
      ({ level, rule, resource, message }) =>
        `- **policy** \`${rule}\` (${level}), \`${resource}\`: ${inline(message)}`,
    ),
  ];
  const parts = [
    `#### ${stack}: ${summary(report)}`,
    ...(flags.length === 0 ? [] : [flags.join("\n")]),
    ...(changes.length === 0 ? [] : [tableOf(changes)]),
    ...(restartSeconds === undefined
      ? changes.length === 0
        ? []
        : ["Downtime: none; connections stay."]
      : [`Downtime: the server starts anew, connections end; about ${restartSeconds.toFixed(0)} s here.`]),
    ...(text.trim() === "" ? [] : [folded(text)]),
  ];
  return parts.join("\n\n");
}

function summary(report: Report): string {
  if (report.errors.length > 0) return "fails";
  if (isRefused(report)) return "refused by the policies";
  return report.changes.length === 0 ? "no changes" : `${report.changes.length} changes`;
}

function tableOf(changes: readonly Change[]): string {
  const rows = changes.map(
    ({ weight, operation, resource, properties }) =>
      `| ${weight === "change" ? "" : `**${weight}**`} | ${operation} | \`${resource}\` | ${properties.map(inline).join(", ")} |`,
  );
  return ["| | | resource | what differs |", "|---|---|---|---|", ...rows].join("\n");
}

function folded(text: string): string {
  const shown = text.length > LONGEST_DIFF ? `${text.slice(0, LONGEST_DIFF)}\n… cut off` : text;
  // A fence longer than any in the text.
  const fence = "`".repeat(Math.max(3, ...[...shown.matchAll(/`+/g)].map(([ticks]) => ticks.length + 1)));
  return `<details><summary>The whole preview</summary>\n\n${fence}\n${shown.trim()}\n${fence}\n\n</details>`;
}

/** One line that no table or list is broken by. */
function inline(text: string): string {
  return text.replaceAll(/\s+/g, " ").replaceAll("|", "\\|").replaceAll("<", "&lt;");
}
