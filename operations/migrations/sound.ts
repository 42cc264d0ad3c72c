import { UserError } from "../user-error.ts";
import { MIGRATION_FOLDER, type MigrationFile } from "./files.ts";
import { neverInTransaction } from "./outside.ts";
import { statementsOf } from "./statements.ts";

/**
 * Refuses, before anything runs, what PostgreSQL does not understand, what only psql does, and a migration without a
 * transaction that is more than one statement: interrupted between two, nobody could tell how far it has come.
 */
export async function requireSound({
  name,
  up,
  down,
  transaction,
  unreadable,
}: MigrationFile): Promise<void> {
  if (unreadable !== undefined) throw new UserError(unreadable);
  for (const [file, sql] of [
    [`${name}.up.sql`, up],
    [`${name}.down.sql`, down ?? ""],
  ] as const) {
    const statements = await statementsOf(file, sql);
    if (!transaction && statements.length > 1) {
      throw new UserError(
        `${MIGRATION_FOLDER}/${file} has ${statements.length} statements: one without a transaction has a single one`,
      );
    }
    for (const statement of statements) {
      const place = `${MIGRATION_FOLDER}/${file}, line ${statement.line}`;
      if (statement.kind === "TransactionStmt") {
        throw new UserError(`${place}: a migration is one transaction by itself; take BEGIN and COMMIT out`);
      }
      const outside = transaction ? neverInTransaction(statement) : undefined;
      if (outside !== undefined) {
        throw new UserError(
          `${place}: ${outside} cannot be in a transaction: put it alone into a migration with the line \`-- no transaction\``,
        );
      }
    }
  }
}
