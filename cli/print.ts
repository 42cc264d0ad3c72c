import { stripVTControlCharacters, styleText } from "node:util";
import {
  escapeControlCharacters,
  escapeControlCharactersInJson,
  escapeControlCharactersInLines,
} from "../operations/control-characters.ts";

export { escapeControlCharacters as harmless } from "../operations/control-characters.ts";

type Style = Parameters<typeof styleText>[0];

/** The styles of {@link styled}: all that may reach a terminal beside text. */
// biome-ignore lint/suspicious/noControlCharactersInRegex: they begin with one
const STYLES = /(\u001b\[(?:1|2|22|31|32|33|39)m)/;

/** Writes text to standard output. Whatever is in it, names of a database among them, it steers no terminal. */
export function print(text: string): void {
  process.stdout.write(printable(text));
}

/** Text with its lines, tabs and our own styles, and no other control character. */
export function printable(text: string): string {
  return text
    .split(STYLES)
    .map((part, index) => (index % 2 === 1 ? part : escapeControlCharactersInLines(part)))
    .join("");
}

/** Writes one line to standard output. */
export function printLine(text = ""): void {
  print(`${text}\n`);
}

/** Writes one line for people to standard error, where it does not mix with a command's result. */
export function note(text: string): void {
  process.stderr.write(`${printable(text)}\n`);
}

/** Writes a value for machines: JSON, two spaces deep. */
export function printJson(value: unknown): void {
  printLine(escapeControlCharactersInJson(JSON.stringify(value, undefined, 2)));
}

/** Text in a style where standard output is a terminal and NO_COLOR is not set; else the text alone. */
export function styled(style: Style, text: string): string {
  return styleText(style, text, { stream: process.stdout });
}

/** Warnings for people, a line each. */
export function printWarnings(warnings: readonly string[] = []): void {
  for (const warning of warnings)
    printLine(`  ${statusText("warning")}  ${escapeControlCharacters(warning)}`);
}

/** A status word in its colour. */
export function statusText(status: string): string {
  if (["ok", "running", "healthy"].includes(status)) return styled("green", status);
  if (["warning", "starting", "restarting", "paused"].includes(status)) return styled("yellow", status);
  return status === "not applicable" ? styled("dim", status) : styled(["red", "bold"], status);
}

/** Rows in columns as wide as their longest cell; styles do not count. The last column is not filled up. */
export function table(given: readonly (readonly string[])[], indent = ""): string {
  // A line end in a name would look like another row.
  const rows = given.map((row) => row.map((cell) => printable(cell).replaceAll("\n", "\\x0a")));
  const widths: number[] = [];
  for (const row of rows) {
    for (const [column, cell] of row.entries()) widths[column] = Math.max(widths[column] ?? 0, width(cell));
  }
  const line = (row: readonly string[]) =>
    row.map((cell, column) =>
      column === row.length - 1 ? cell : cell + " ".repeat((widths[column] ?? 0) - width(cell)),
    );
  return rows.map((row) => `${indent}${line(row).join("  ").trimEnd()}\n`).join("");
}

/** Bytes in the largest unit that leaves a number of 1 or more. */
export function formatBytes(bytes: number): string {
  const units = ["B", "KB", "MB", "GB", "TB"];
  const power = Math.min(units.length - 1, Math.max(0, Math.floor(Math.log2(Math.max(1, bytes)) / 10)));
  const value = bytes / 1024 ** power;
  return `${value >= 100 || power === 0 ? Math.round(value) : value.toFixed(1)} ${units[power]}`;
}

/** Seconds as `3 d 4 h`, `4 h 12 min`, `12 min 5 s` or `5 s`. */
export function formatDuration(seconds: number): string {
  const parts: readonly [number, string][] = [
    [Math.floor(seconds / 86_400), "d"],
    [Math.floor(seconds / 3_600) % 24, "h"],
    [Math.floor(seconds / 60) % 60, "min"],
    [Math.floor(seconds) % 60, "s"],
  ];
  const first = parts.findIndex(([count]) => count > 0);
  const shown = first === -1 ? parts.slice(-1) : parts.slice(first, first + 2);
  return shown.map(([count, unit]) => `${count} ${unit}`).join(" ");
}

function width(text: string): number {
  return [...stripVTControlCharacters(text)].length;
}
