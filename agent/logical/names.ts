import { Refusal } from "../failure.ts";
import { quoteIdentifier } from "../sql.ts";

/** A relation's name, as the catalogue has it. */
export interface RelationName {
  readonly schema: string;
  readonly name: string;
}

/** PostgreSQL cuts longer names without an error, so that two could mean the same. */
const LONGEST_BYTES = 63;
const QUOTED = /^"((?:[^"]|"")+)"/;
const UNQUOTED = /^[A-Za-z_\u0080-\uffff][\w$\u0080-\uffff]*/;

/** Reads `schema.table` as PostgreSQL does: in double quotes as it stands, without them in lower case. @throws Refusal */
export function parseTableName(text: string): RelationName {
  const [schema, name, ...more] = parts(text) ?? [];
  if (schema === undefined || name === undefined || more.length > 0) {
    throw new Refusal(
      `${JSON.stringify(text)} is no table: schema.table is right, each name in double quotes where PostgreSQL needs them, such as sales."Mixed Case"`,
    );
  }
  return { schema, name };
}

/** Reads a schema's name as PostgreSQL does. @throws Refusal */
export function parseSchemaName(text: string): string {
  const [schema, ...more] = parts(text) ?? [];
  if (schema === undefined || more.length > 0) {
    throw new Refusal(
      `${JSON.stringify(text)} is no schema: a name is right, in double quotes where PostgreSQL needs them, such as "Mixed Case"`,
    );
  }
  return schema;
}

/** A relation's name as SQL and as messages have it: in double quotes where that is needed. */
export function shownName({ schema, name }: RelationName): string {
  return [schema, name]
    .map((part) => (/^[a-z_][a-z0-9_$]*$/.test(part) ? part : quoteIdentifier(part)))
    .join(".");
}

function parts(text: string): string[] | undefined {
  const found: string[] = [];
  let rest = text;
  for (;;) {
    const quoted = QUOTED.exec(rest);
    const part = quoted?.[1]?.replaceAll('""', '"') ?? UNQUOTED.exec(rest)?.[0];
    if (part === undefined || part.includes("\0")) return undefined;
    // As PostgreSQL does in UTF-8: only ASCII letters are folded.
    found.push(quoted === null ? part.replaceAll(/[A-Z]/g, (letter) => letter.toLowerCase()) : part);
    if (found.some((name) => Buffer.byteLength(name) > LONGEST_BYTES)) return undefined;
    rest = rest.slice(quoted?.[0].length ?? part.length);
    if (rest === "") return found;
    if (!rest.startsWith(".")) return undefined;
    rest = rest.slice(1);
  }
}
