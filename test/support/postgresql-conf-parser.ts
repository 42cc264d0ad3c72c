/**
 * Reads postgresql.conf as the server does (src/backend/utils/misc/guc-file.l): one parameter a line, quoted values
 * with doubled quotes and backslash escapes. The last line of a name counts.
 */
export function parsePostgresqlConf(text: string): Map<string, string> {
  const found = new Map<string, string>();
  for (const line of text.split("\n")) {
    if (/^\s*(#.*)?$/.test(line)) continue;
    const parts = /^\s*([a-z_][a-z0-9_.]*)\s*=\s*'((?:[^'\\\n]|\\.|'')*)'\s*(#.*)?$/iu.exec(line);
    if (parts === null) throw new Error(`not a line of postgresql.conf: ${line}`);
    const [, name = "", quoted = ""] = parts;
    found.set(name.toLowerCase(), unescapeValue(quoted));
  }
  return found;
}

const ESCAPES: Readonly<Record<string, string>> = { b: "\b", f: "\f", n: "\n", r: "\r", t: "\t" };

function unescapeValue(quoted: string): string {
  return quoted.replaceAll(
    /''|\\([0-7]{1,3})|\\(.)/gu,
    (_all, octal: string | undefined, character: string | undefined) => {
      if (octal !== undefined) return String.fromCharCode(Number.parseInt(octal, 8));
      if (character !== undefined) return ESCAPES[character] ?? character;
      return "'";
    },
  );
}
