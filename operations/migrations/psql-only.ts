/** Something in a migration that is no SQL but psql's own. */
export interface PsqlOnly {
  readonly line: number;
  /** What it is, and what to do instead. */
  readonly message: string;
}

/** What SQL is made of, as far as it matters where a statement ends and where a backslash stands outside of texts. */
const TOKEN = new RegExp(
  [
    String.raw`(?<skipped>\s+|--[^\n]*|/\*)`,
    String.raw`(?<text>\b[eE]'(?:[^'\\]|\\[\s\S]|'')*'|'(?:[^']|'')*'|"(?:[^"]|"")*"|(?<!\w)\$(?<tag>(?:[A-Za-z_\u0080-\uffff][\w\u0080-\uffff]*)?)\$[\s\S]*?\$\k<tag>\$)`,
    String.raw`(?<word>[A-Za-z_\u0080-\uffff][\w$\u0080-\uffff]*)`,
    String.raw`(?<command>\\(?:[A-Za-z_?!;]\w*|\S?))`,
    "(?<end>;)",
    String.raw`[\s\S]`,
  ].join("|"),
  "y",
);

/**
 * The first thing in a migration that only psql understands: its backslash commands, and rows for a COPY, which it sends
 * to the server. Undefined: there is none.
 */
export function psqlOnly(sql: string): PsqlOnly | undefined {
  let words: string[] = [];
  let began = 0;
  for (let at = 0; at < sql.length; ) {
    TOKEN.lastIndex = at;
    const found = TOKEN.exec(sql);
    if (found === null) return undefined;
    const { skipped, word, command, end } = found.groups ?? {};
    if (command !== undefined) {
      return {
        line: lineAfter(sql.slice(0, at)),
        message: `${command} is a command of psql, which does not run migrations: take it out, or write it as SQL`,
      };
    }
    if (skipped === "/*") {
      at = afterComment(sql, at);
      continue;
    }
    if (skipped === undefined && end === undefined && words.length === 0) began = at;
    if (end !== undefined) {
      words = [];
    } else if (skipped === undefined) {
      words.push(word?.toUpperCase() ?? found[0]);
      if (words[0] === "COPY" && words.at(-2) === "FROM" && words.at(-1) === "STDIN") {
        return {
          line: lineAfter(sql.slice(0, began)),
          message:
            "COPY … FROM stdin takes rows that psql sends, and psql does not run migrations: write them as INSERT INTO … VALUES, or load the file with pgstack psql after the migration",
        };
      }
    }
    at += found[0].length;
  }
  return undefined;
}

/** Where a comment ends that others may be nested in. */
function afterComment(sql: string, start: number): number {
  let depth = 0;
  for (let at = start; at < sql.length; at += 1) {
    if (sql.startsWith("/*", at)) {
      depth += 1;
      at += 1;
    } else if (sql.startsWith("*/", at)) {
      depth -= 1;
      at += 1;
      if (depth === 0) return at + 1;
    }
  }
  return sql.length;
}

/** The line that a text ends on, counted from 1. */
export function lineAfter(text: string): number {
  return text.split("\n").length;
}
