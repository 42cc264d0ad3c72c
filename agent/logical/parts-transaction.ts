import { rm, writeFile } from "node:fs/promises";
import type { AgentConfiguration } from "../configuration.ts";
import type { Context } from "../context.ts";
import { messageOf, Refusal } from "../failure.ts";
import { output } from "../program.ts";
import { clientEnvironment, type Login, psql, query, quoteIdentifier, quoteLiteral } from "../sql.ts";
import { type Fact, factsQuery } from "./facts-query.ts";
import type { Parts } from "./parts.ts";

/**
 * Puts parts in place of what is there, in one transaction: drops it, runs the dump's own SQL, puts back what a dump of
 * parts leaves out, and compares the catalogue with what it was. Whatever is then missing undoes everything. It runs as a
 * login that is not superuser, since checks, index expressions and more of it are code of users.
 *
 * @param script File with the SQL of the parts, whole: psql would commit what it has read of one that ends early.
 */
export async function replaceParts(
  configuration: AgentConfiguration,
  {
    database,
    parts,
    script,
    login,
  }: {
    readonly database: string;
    readonly parts: Parts;
    readonly script: string;
    readonly login: Login;
  },
  context: Pick<Context, "signal">,
): Promise<void> {
  const { signal } = context;
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
    const environment = clientEnvironment(configuration, database, { login });
    environment["PGOPTIONS"] = `${environment["PGOPTIONS"] ?? ""} -c client_min_messages=warning`;
    await output("psql", [...how, ...files], { environment, signal });
  } catch (error) {
    signal.throwIfAborted();
    throw new Refusal(`nothing was changed: ${explained(messageOf(error))}`);
  } finally {
    await rm(before, { force: true });
    await rm(after, { force: true });
  }
  await addToPublications(configuration, database, parts, context);
}

function explained(message: string): string {
  const said = message.replace(/^psql failed \(exit code \d+\): (psql:\S+ )?/, "");
  return /permission denied to set session authorization/.test(said)
    ? "a grant on what is restored was made by another role than its owner, and only a superuser can make it in that role's name: restore the whole database, or have the owner grant it"
    : said;
}

/**
 * What only the superuser may put back: the tables in its publications. Their filters hold nothing of users.
 *
 * @throws Error with the statements that are to be run by hand; the parts are back then.
 */
async function addToPublications(
  configuration: AgentConfiguration,
  database: string,
  { relations, superuserAdditions, memberships }: Parts,
  { signal }: Pick<Context, "signal">,
): Promise<void> {
  if (superuserAdditions.length === 0) return;
  const options = { database, signal };
  try {
    await psql(configuration, `BEGIN;\n${superuserAdditions.join(";\n")};\nCOMMIT;\n`, options);
    const found = await query<Fact>(configuration, factsQuery(relations), options);
    const there = new Set(found.map(({ object, definition }) => JSON.stringify([object, definition])));
    const lost = memberships.filter(
      ({ object, definition }) => !there.has(JSON.stringify([object, definition])),
    );
    if (lost.length > 0) throw new Error(`${lost.map(({ object }) => object).join(", ")} is another one`);
  } catch (error) {
    signal.throwIfAborted();
    throw new Refusal(
      `what was chosen is back, but not in its publications (${messageOf(error)}): run as the superuser: ${superuserAdditions.join("; ")}`,
    );
  }
}

function beforeScript({ relations, present, drops, foreignSchemas }: Parts): string {
  const tables = present.filter(({ kind }) => ["r", "p", "v"].includes(kind)).map(({ quoted }) => quoted);
  return [
    ...(tables.length === 0 ? [] : [`LOCK TABLE ${tables.join(", ")} IN ACCESS EXCLUSIVE MODE;`]),
    // Who is given a table must be allowed to create one there; nobody sees it before it is over.
    ...foreignSchemas.map(
      ({ schema, owner }) =>
        `GRANT CREATE ON SCHEMA ${quoteIdentifier(schema)} TO ${quoteIdentifier(owner)};`,
    ),
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

function afterScript({ relations, lost, additions, memberships, foreignSchemas }: Parts): string {
  const accepted = JSON.stringify(
    [...lost, ...memberships].map(({ object, definition }) => ({ object, definition })),
  );
  return [
    "SET LOCAL search_path = pg_catalog;",
    // A dump of whole schemas has the statistics in them already.
    ...additions.map(
      (statement) =>
        `DO ${quoteLiteral(`BEGIN EXECUTE ${quoteLiteral(statement)}; EXCEPTION WHEN duplicate_object THEN NULL; END`)};`,
    ),
    ...foreignSchemas.map(
      ({ schema, owner }) =>
        `REVOKE CREATE ON SCHEMA ${quoteIdentifier(schema)} FROM ${quoteIdentifier(owner)};`,
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
