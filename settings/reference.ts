import { SAFEGUARDS } from "../operations/postgresql-conf/weakening-parameters.ts";
import { UserError } from "../operations/user-error.ts";
import { documentation, GROUPS } from "./documentation.ts";
import { SETTING_KEYS, settingsSchema } from "./schema.ts";

/** The lines that the tables stand between. */
export const SECTION_BEGIN = "<!-- settings:begin -->";
export const SECTION_END = "<!-- settings:end -->";

/** One key as the tables show it. */
function described() {
  return SETTING_KEYS.flatMap((key) => {
    const schema = settingsSchema.shape[key];
    const details = documentation.get(schema);
    return details === undefined ? [] : [{ key, description: schema.description ?? "", ...details }];
  });
}

/** Every key by group, as Markdown: what it is, its default, an example, what a change does. */
export function fullReference(): string {
  const settings = described();
  const groups = GROUPS.map((group) => {
    const rows = settings
      .filter((one) => one.group === group)
      .map((one) => [
        code(one.key),
        explained(one),
        fallback(one),
        code(`pgstack:${one.key}: ${one.example}`),
      ]);
    return `## ${group}\n\n${table(["Key", "What it is", "Default", "Example"], rows)}`;
  });
  return [...groups, thresholdTable(), safeguardTable()].join("\n\n");
}

/** The most used keys in one table, for the README. */
export function shortReference(): string {
  const rows = described()
    .filter((one) => one.common === true)
    .map((one) => [code(one.key), one.description, fallback(one)]);
  return table(["Key", "What it is", "Default"], rows);
}

/**
 * A text with another section between its markers; the rest stays as it is.
 *
 * @throws UserError when the text has no pair of markers.
 */
export function withSection(text: string, section: string, file: string): string {
  const begin = text.indexOf(SECTION_BEGIN);
  const end = text.indexOf(SECTION_END, begin);
  if (begin === -1 || end === -1) {
    throw new UserError(`${file} must hold the lines ${SECTION_BEGIN} and ${SECTION_END}, in this order`);
  }
  return `${text.slice(0, begin + SECTION_BEGIN.length)}\n${section}\n${text.slice(end)}`;
}

function thresholdTable(): string {
  const defaults = Object.entries(settingsSchema.parse({}).healthThresholds);
  const rows = defaults.map(([key, value]) => [
    code(key),
    code(Array.isArray(value) ? value.join(", ") : String(value)),
  ]);
  return `### Keys of healthThresholds\n\n${table(["Key", "Default"], rows)}`;
}

function safeguardTable(): string {
  const rows = [...SAFEGUARDS].map(([name, { right, reason }]) => [code(name), right, reason]);
  return [
    "### Keys of serverSettings that staging and production hold to what is safe",
    "Development and test may have them otherwise, but for durability. An exception of the policies (`server-settings-safe`, without a resource) accepts them for a while.",
    table(["Key", "What is right", "Else"], rows),
  ].join("\n\n");
}

function explained(one: { readonly description: string; readonly caution?: string }): string {
  return one.caution === undefined ? one.description : `${one.description} **Caution:** ${one.caution}`;
}

function fallback(one: { readonly fallback: string; readonly variable?: string }): string {
  return one.variable === undefined
    ? one.fallback
    : `${one.fallback}; the variable ${code(one.variable)} where set`;
}

function code(text: string): string {
  return `\`${text}\``;
}

function table(head: readonly string[], rows: readonly (readonly string[])[]): string {
  // Angle brackets outside code would be taken for HTML.
  const cell = (text: string): string =>
    text
      .replaceAll("|", "\\|")
      .split("`")
      .map((part, index) => (index % 2 === 0 ? part.replaceAll("<", "&lt;") : part))
      .join("`");
  const line = (cells: readonly string[]): string => `| ${cells.map(cell).join(" | ")} |`;
  return [line(head), `|${head.map(() => "---").join("|")}|`, ...rows.map(line)].join("\n");
}
