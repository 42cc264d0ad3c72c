import { parseSchemaName, parseTableName, type RelationName } from "./names.ts";

/** What of a backup is restored; nothing named: the whole database. */
export interface Selection {
  readonly schemas: readonly string[];
  readonly tables: readonly RelationName[];
}

/** Reads what a caller names. @throws Refusal for what is no name. */
export function readSelection({ schemas, tables }: Readonly<Record<string, unknown>>): Selection {
  const texts = (given: unknown): string[] => (Array.isArray(given) ? given.map(String) : []);
  return { schemas: texts(schemas).map(parseSchemaName), tables: texts(tables).map(parseTableName) };
}

/** Whether parts are named. */
export function isPartial({ schemas, tables }: Selection): boolean {
  return schemas.length + tables.length > 0;
}
