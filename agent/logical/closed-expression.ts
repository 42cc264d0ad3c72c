const QUOTES = new Set(["'", '"']);
/** Comments, escapes, dollar quotes, ends of statements and variables of psql: what PostgreSQL prints of an expression needs none. */
const FOREIGN = /[\p{Cc}\\$;]|--|\/\*|(?<!:):(?![:=])/u;

/**
 * Whether a text stays within the parentheses that it is put into: every quote and parenthesis that it opens it closes, and
 * nothing in it ends a statement or speaks to psql. Read with standard_conforming_strings on.
 */
export function isClosedExpression(text: string): boolean {
  let depth = 0;
  let plain = "";
  for (let at = 0; at < text.length; at += 1) {
    const character = text[at] ?? "";
    if (QUOTES.has(character)) {
      // Two of them within stand for one: that is the end of one part and the beginning of the next.
      const end = text.indexOf(character, at + 1);
      if (end < 0 || /[\p{Cc}\\]/u.test(text.slice(at, end))) return false;
      at = end;
      plain += "q";
      continue;
    }
    depth += character === "(" ? 1 : character === ")" ? -1 : 0;
    if (depth < 0) return false;
    plain += character;
  }
  return depth === 0 && !FOREIGN.test(plain);
}
