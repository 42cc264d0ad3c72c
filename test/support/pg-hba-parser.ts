/** One line of pg_hba.conf as the server understands it. */
export interface HbaRule {
  readonly type: string;
  readonly database: HbaToken;
  readonly user: HbaToken;
  readonly address: string;
  readonly method: string;
}

/** A field; a quoted one has no special meaning. */
export interface HbaToken {
  readonly text: string;
  readonly quoted: boolean;
}

/** A connection attempt. */
export interface HbaAttempt {
  readonly tcp: boolean;
  readonly tls: boolean;
  readonly database: string;
  readonly user: string;
  readonly replication?: boolean;
}

/** Reads pg_hba.conf as the server does (src/backend/libpq/hba.c, next_token). */
export function parsePgHba(text: string): HbaRule[] {
  return text.split("\n").flatMap((line) => {
    const tokens = tokensOf(line);
    const [type, database, user, ...rest] = tokens;
    if (type === undefined) return [];
    if (database === undefined || user === undefined) throw new Error(`too short: ${line}`);
    const method = rest.at(-1)?.text ?? "";
    if (rest.length !== (type.text === "local" ? 1 : 2)) throw new Error(`wrong number of fields: ${line}`);
    return [
      { type: type.text, database, user, address: rest.length === 2 ? (rest[0]?.text ?? "") : "", method },
    ];
  });
}

/** Method of the first rule that fits; addresses count as fitting. */
export function methodFor(rules: readonly HbaRule[], attempt: HbaAttempt): string {
  const rule = rules.find((one) => {
    if ((one.type === "local") === attempt.tcp) return false;
    if (one.type === "hostssl" && !attempt.tls) return false;
    if (one.type === "hostnossl" && attempt.tls) return false;
    if (!fitsDatabase(one.database, attempt)) return false;
    if (one.user.text.startsWith("/")) return new RegExp(one.user.text.slice(1)).test(attempt.user);
    return isKeyword(one.user, "all") || one.user.text === attempt.user;
  });
  return rule?.method ?? "none";
}

function fitsDatabase(token: HbaToken, attempt: HbaAttempt): boolean {
  if (attempt.replication === true) return isKeyword(token, "replication");
  if (isKeyword(token, "all")) return true;
  return !isKeyword(token, "replication") && token.text === attempt.database;
}

function isKeyword(token: HbaToken, word: string): boolean {
  return !token.quoted && token.text === word;
}

function tokensOf(line: string): HbaToken[] {
  const tokens: HbaToken[] = [];
  let position = 0;
  while (position < line.length) {
    while (/[\s,]/.test(line[position] ?? "x")) position += 1;
    if (position >= line.length || line[position] === "#") break;
    let text = "";
    let inQuotes = false;
    let wasQuote = false;
    const quoted = line[position] === '"';
    for (; position < line.length; position += 1) {
      const character = line[position] ?? "";
      if (!inQuotes && /[\s,]/.test(character)) break;
      if (character !== '"' || wasQuote) text += character;
      wasQuote = inQuotes && character === '"' ? !wasQuote : false;
      if (character === '"') inQuotes = !inQuotes;
    }
    tokens.push({ text, quoted });
  }
  return tokens;
}
