import { join } from "node:path";
import type { AgentConfiguration } from "../configuration.ts";
import type { Context } from "../context.ts";
import { createMarked, dropMarked } from "../database-mark.ts";
import { Refusal } from "../failure.ts";
import { withLimitedLogin } from "../limited-login.ts";
import { psql, quoteIdentifier } from "../sql.ts";
import { checkDatabase } from "../verification/checks.ts";
import { accepted, firstLines, type Outcome, together } from "../verification/outcome.ts";
import { differences, tableContents } from "../verification/tables.ts";
import { emptyDatabaseOptions } from "./database-properties.ts";
import { exchange } from "./exchange.ts";
import { logicalDirectory, readManifest } from "./folder.ts";
import { places } from "./places.ts";
import { compareFiles } from "./read-back.ts";
import { restoreInto } from "./restore.ts";
import { planWhole, requireAccepted } from "./restore-plan.ts";
import { restorableDump } from "./restored-dump.ts";
import { propertiesToRestore, propertyStatements, tryStatements } from "./restored-properties.ts";

/** What became of a dump that was brought back. */
export interface BroughtBack {
  /** The database from before under its new name; absent where parts were brought back into it. */
  readonly kept?: string;
  readonly tables: number;
  /** What was so at the source already, and what the operator has accepted. */
  readonly warnings: readonly string[];
}

/**
 * Brings the database back to a dump: made beside the one in use, checked and compared, and then put in its place by two
 * renames in one transaction. The one from before is kept, shut off. With `acceptance` the operator takes it also where it
 * fails verification. To be called under the lock.
 */
export async function bringBackDatabase(
  configuration: AgentConfiguration,
  id: string,
  { acceptLosses, acceptance }: { readonly acceptLosses: boolean; readonly acceptance: boolean },
  context: Context,
): Promise<BroughtBack> {
  const { database, tables, files, findings: known } = await readManifest(configuration, id);
  const folder = join(logicalDirectory(configuration), id);
  await requireWhole(folder, files, id);
  requireAccepted((await planWhole(configuration, { id, database }, context)).losses, acceptLosses);
  const { beside, before, mark } = await places(configuration, { id, database }, context);
  const properties = await propertiesToRestore(configuration, { id, database }, context);
  await psql(configuration, dropMarked(beside, mark), context);
  let warnings: readonly string[] = [];
  context.step("restoring beside the database in use", 0.1);
  try {
    await psql(configuration, createMarked(beside, mark, emptyDatabaseOptions(properties)), context);
    // Until it is put in use nobody else comes in: a routine has its owner's rights before it has its owner.
    await psql(configuration, `REVOKE ALL ON DATABASE ${quoteIdentifier(beside)} FROM PUBLIC;`, context);
    const { stack, verification } = configuration;
    await withLimitedLogin(configuration, { stack, databases: [beside] }, context, async (login) => {
      const target = { server: configuration, database: beside, login };
      const list = join(configuration.scratchDirectory, `bring-back-${id}.list`);
      await restoreInto(await restorableDump(configuration, id, context), target, list, context);
      context.step("checking and comparing", 0.7);
      const found = await tableContents(configuration, beside, verification, { login, context });
      const outcome = together(
        differences(tables, found),
        await checkDatabase(configuration, beside, verification, {
          ...(known === undefined ? {} : { known }),
          ...{ login, context },
        }),
      );
      warnings = accepting(outcome, acceptance).warnings;
    });
    const statementsFor = await propertyStatements(configuration, properties, context);
    await tryStatements(configuration, statementsFor(beside), context);
    context.step("putting it in use", 0.9);
    await exchange(configuration, { database, beside, before, properties: statementsFor(database) }, context);
  } catch (error) {
    await psql(configuration, dropMarked(beside, mark));
    throw error;
  }
  return { kept: before, tables: tables.length, warnings };
}

/** An outcome that lets the dump be put in use. @throws Refusal that names the problems, where they are not accepted. */
export function accepting(outcome: Outcome, acceptance: boolean): Outcome {
  if (acceptance) return accepted(outcome);
  if (outcome.problems.length === 0) return outcome;
  throw new Refusal(
    `what was restored failed verification: ${firstLines(outcome.problems)}. Nothing was changed; --accept "REASON" takes it all the same`,
  );
}

/** @throws Refusal naming each file that is not as it was written. */
export async function requireWhole(
  folder: string,
  files: Parameters<typeof compareFiles>[1],
  id: string,
): Promise<void> {
  const problems = await compareFiles(folder, files);
  if (problems.length > 0) throw new Refusal(`backup ${id} is damaged: ${problems.join("; ")}`);
}
