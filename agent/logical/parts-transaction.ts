import { rm, writeFile } from "node:fs/promises";
import type { AgentConfiguration } from "../configuration.ts";
import type { Context } from "../context.ts";
import { messageOf, Refusal } from "../failure.ts";
import { output } from "../program.ts";
import { clientEnvironment, quoteLiteral } from "../sql.ts";
import { factsQuery } from "./facts-query.ts";
import type { Parts } from "./parts.ts";

/**
 * Puts parts in place of what is there, in one transaction: drops it, runs the dump's own SQL, puts back what a dump of
 * parts leaves out, and compares the catalogue with what it was. Whatever is then missing undoes everything.
 *
 * @param script File with the SQL of the parts, whole: psql would commit what it has read of one that ends early.
 */
export async function replaceParts(
  configuration: AgentConfiguration,
  { database, parts, script }: { readonly database: string; readonly parts: Parts; readonly script: string },
  { signal }: Pick<Context, "signal">,
): Promise<void> {
  const [before, after] = [`${script}.before`, `${script}.after`];
  try {
    await writeFile(before, beforeScript(parts), { mode: 0o600 });
    await writeFile(after, afterScript(parts), { mode: 0o600 });
    const files = [before, script, after].map((file) => `--file=${file}`);
    const how = [
      "--no-psqlrc",
      "--quiet",
      "--set=ON_ERROR_STOP=1",
      "--single-transaction",
      "--output=/dev/null",
    ];
    const environment = {
      ...clientEnvironment(configuration, database),
      PGOPTIONS: quiet(configuration, database),
    };
    await output("psql", [...how, ...files], { environment, signal });
  } catch (error) {
    signal.throwIfAborted();
    throw new Refusal(
      `nothing was changed: ${messageOf(error).replace(/^psql failed \(exit code \d+\): (psql:\S+ )?/, "")}`,
    );
  } finally {
    await rm(before, { force: true });
    await rm(after, { force: true });
  }
}

function quiet(configuration: AgentConfiguration, database: string): string {
  return `${clientEnvironment(configuration, database)["PGOPTIONS"] ?? ""} -c client_min_messages=warning`;
}

function beforeScript({ relations, present, drops }: Parts): string {
  const tables = present.filter(({ kind }) => ["r", "p", "v"].includes(kind)).map(({ quoted }) => quoted);
  return [
    ...(tables.length === 0 ? [] : [`LOCK TABLE ${tables.join(", ")} IN ACCESS EXCLUSIVE MODE;`]),
    `CREATE TEMPORARY TABLE pgstack_facts ON COMMIT DROP AS ${factsQuery(relations)};`,
    ...(drops.length === 0 ? [] : [`DO ${quoteLiteral(dropBlock(drops))};`]),
    "",
  ].join("\n");
}

/** Drops in whatever order works: the dependencies between them are the server's to know. */
function dropBlock(drops: readonly string[]): string {
  return `DECLARE
  todo text[] := ARRAY[${drops.map(quoteLiteral).join(", ")}];
  waiting text[];
  statement text;
  reason text;
BEGIN
  LOOP
    waiting := '{}';
    FOREACH statement IN ARRAY todo LOOP
      BEGIN
        EXECUTE statement;
      EXCEPTION WHEN dependent_objects_still_exist THEN
        GET STACKED DIAGNOSTICS reason = PG_EXCEPTION_DETAIL;
        waiting := waiting || statement;
      END;
    END LOOP;
    EXIT WHEN cardinality(waiting) = 0;
    IF cardinality(waiting) = cardinality(todo) THEN
      RAISE EXCEPTION '%', replace(reason, E'\\n', '; ');
    END IF;
    todo := waiting;
  END LOOP;
END`;
}

function afterScript({ relations, lost, additions }: Parts): string {
  const accepted = JSON.stringify(lost.map(({ object, definition }) => ({ object, definition })));
  return [
    "SET LOCAL search_path = pg_catalog;",
    // A dump of whole schemas has the statistics in them already.
    ...additions.map(
      (statement) =>
        `DO ${quoteLiteral(`BEGIN EXECUTE ${quoteLiteral(statement)}; EXCEPTION WHEN duplicate_object THEN NULL; END`)};`,
    ),
    `DO ${quoteLiteral(`DECLARE lost text;
BEGIN
  SELECT string_agg(DISTINCT object, '; ') INTO lost FROM (
    SELECT object, definition FROM pg_temp.pgstack_facts
    EXCEPT SELECT object, definition FROM (${factsQuery(relations)}) q
    EXCEPT SELECT object, definition FROM jsonb_to_recordset(${quoteLiteral(accepted)}) AS accepted(object text, definition text)) q;
  IF lost IS NOT NULL THEN RAISE EXCEPTION 'it would have been lost: %', lost; END IF;
END`)};`,
    "",
  ].join("\n");
}
