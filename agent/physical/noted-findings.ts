import { notedFindings } from "../entry.ts";
import type { Finding } from "../verification/findings.ts";

/** An annotation is an argument of a program, and stands in each listing of backups. */
const LONGEST_CHARACTERS = 8_000;

/** Findings as a note that a backup carries in its repository: as many as fit, in characters that nothing misreads. */
export function writtenFindings(findings: readonly Finding[]): string {
  const kept = notedFindings(findings);
  for (;;) {
    const text = Buffer.from(JSON.stringify(kept)).toString("base64url");
    if (text.length <= LONGEST_CHARACTERS) return text;
    kept.pop();
  }
}

/** The findings of such a note; undefined where there is none that can be read. */
export function readFindings(note: string | undefined): Finding[] | undefined {
  if (note === undefined) return undefined;
  try {
    const found: unknown = JSON.parse(Buffer.from(note, "base64url").toString("utf8"));
    return Array.isArray(found) ? (found as Finding[]) : undefined;
  } catch {
    return undefined;
  }
}
