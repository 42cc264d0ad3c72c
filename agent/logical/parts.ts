import type { AgentConfiguration } from "../configuration.ts";
import type { Context } from "../context.ts";
import { Refusal } from "../failure.ts";
import { POWERFUL_ROLES } from "../limited-login.ts";
import { query, quoteIdentifier, type Server } from "../sql.ts";
import { describeBlocking } from "./blocking.ts";
import { isClosedExpression } from "./closed-expression.ts";
import { type Fact, factsQuery } from "./facts-query.ts";
import type { RelationName } from "./names.ts";
import {
  type Addition,
  additionStatements,
  foreignSchemas,
  type LonePartition,
  lonePartitions,
  type PresentRelation,
  presentRelations,
  relationsIn,
} from "./parts-queries.ts";
import type { Selection } from "./selection.ts";

/** What restoring parts of a database takes. */
export interface Parts {
  readonly relations: readonly RelationName[];
  /** Those that are there now. */
  readonly present: readonly PresentRelation[];
  /** What stands now and is not so in the backup. */
  readonly lost: readonly Fact[];
  /** The same for people: without the parts of what is gone as a whole. */
  readonly losses: readonly Fact[];
  /** Statements that drop what is restored; one may have to wait for another. */
  readonly drops: readonly string[];
  /** Statements for what a dump of parts leaves out. */
  readonly additions: readonly string[];
  /** Those of them that only the superuser may run, and which evaluate nothing of users: its publications. */
  readonly superuserAdditions: readonly string[];
  /** What those bring back. */
  readonly memberships: readonly Fact[];
  /** Schemas in which the owner of a part may not create anything. */
  readonly foreignSchemas: readonly { readonly schema: string; readonly owner: string }[];
  /** Entries of a dump's table of contents that have to be left out. */
  readonly leftOut: readonly string[];
}

/** Put back by statements of their own, since a dump of tables has none of them. */
const PUT_BACK: ReadonlySet<string> = new Set(["publication relation", "statistics object"]);
/** What belongs to something else that is named itself. */
const PARTS_OF_OTHERS: ReadonlySet<string> = new Set(["rule", "type", "index", "trigger", "default value"]);
const ROUTINES: ReadonlySet<string> = new Set(["function", "procedure", "aggregate"]);
const DROPS: Readonly<Record<string, string>> = {
  ...{ v: "VIEW", m: "MATERIALIZED VIEW", f: "FOREIGN TABLE", S: "SEQUENCE" },
};

/**
 * Compares parts of the database in use with the backup's, which are restored into a server.
 *
 * @throws Refusal naming what rests on them and does not come back with them.
 */
export async function compareParts(
  configuration: AgentConfiguration,
  {
    database,
    selection,
    stored,
  }: { readonly database: string; readonly selection: Selection; readonly stored: Server },
  { signal }: Pick<Context, "signal">,
): Promise<Parts> {
  const options = { database, signal };
  const relations = [
    ...selection.tables,
    ...(await query<RelationName>(stored, relationsIn(selection.schemas), options)),
  ];
  const facts = await query<Fact>(configuration, factsQuery(relations), options);
  const kept = await query<Fact>(stored, factsQuery(relations), options);
  const present = await query<PresentRelation>(configuration, presentRelations(relations), options);
  const resting = facts.filter(
    (fact) => fact.resting && fact.type !== null && !PARTS_OF_OTHERS.has(fact.type),
  );
  const comesAlong = ({ object, schema, type }: Fact): boolean =>
    ROUTINES.has(type ?? "") &&
    selection.schemas.includes(schema ?? "") &&
    kept.some((fact) => fact.object === object);
  const blocking = resting.filter((fact) => !comesAlong(fact));
  if (blocking.length > 0) throw new Refusal(describeBlocking(blocking, kept, selection));
  // What hangs on a relation and is not to come back goes with it, whoever owns it.
  const replaced = facts.filter(({ object }) => present.some(({ quoted }) => object.endsWith(` ${quoted}`)));
  await refusePowerful(configuration, [...replaced, ...kept], options);
  const lost = lostOf(facts, kept);
  const partitions = await query<LonePartition>(stored, lonePartitions(relations), options);
  const added = await additionsOf(configuration, { database, relations, stored }, options);
  const schemas = [...new Set(relations.map(({ schema }) => schema))];
  return {
    ...{ relations, present },
    ...{ lost, losses: lossesOf(lost, kept) },
    drops: [...dropsOf(present), ...resting.map(({ identity }) => `DROP ROUTINE ${identity}`)],
    additions: [
      ...partitions.map(({ statement }) => statement),
      ...added.filter(({ superuser }) => !superuser).map(({ statement }) => statement),
    ],
    superuserAdditions: added.filter(({ superuser }) => superuser).map(({ statement }) => statement),
    memberships: added.some(({ superuser }) => superuser)
      ? facts.filter(({ type }) => type === "publication relation")
      : [],
    foreignSchemas: await query(configuration, foreignSchemas(schemas, ownersIn(kept)), options),
    leftOut: partitions.flatMap(({ entries }) => entries),
  };
}

/** What is no more, or another one. */
function lostOf(facts: readonly Fact[], kept: readonly Fact[]): Fact[] {
  const same = new Set(kept.map(({ object, definition }) => JSON.stringify([object, definition])));
  return facts.filter(
    ({ object, definition, type }) =>
      !PUT_BACK.has(type ?? "") &&
      !/^comment on (publication relation|statistics object) /.test(object) &&
      !same.has(JSON.stringify([object, definition])),
  );
}

function lossesOf(lost: readonly Fact[], kept: readonly Fact[]): Fact[] {
  const there = new Set(kept.map(({ object }) => object));
  const gone = lost.filter(({ object, type }) => type !== null && !there.has(object));
  const whole = gone.filter(({ type }) => type?.endsWith("table") === true);
  const partOf = (fact: Fact, others: readonly Fact[]): boolean =>
    others.some((other) => other !== fact && mentions(fact.object, other.identity ?? ""));
  // Tables first, then what hangs on those that stay, then what is another one.
  return [
    ...whole,
    ...gone.filter((fact) => !whole.includes(fact) && !partOf(fact, whole)),
    ...lost.filter((fact) => !gone.includes(fact) && !partOf(fact, gone)),
  ];
}

function mentions(text: string, identity: string): boolean {
  const at = text.indexOf(identity);
  return at >= 0 && !/[\w$"]/.test(text[at + identity.length] ?? " ");
}

function dropsOf(present: readonly PresentRelation[]): string[] {
  const tables = present.filter(({ kind }) => kind === "r" || kind === "p").map(({ quoted }) => quoted);
  const others = present.filter(({ kind }) => DROPS[kind] !== undefined);
  return [
    ...others.map(({ kind, quoted }) => `DROP ${DROPS[kind]} ${quoted}`),
    // In one statement, since they may refer to each other.
    ...(tables.length === 0 ? [] : [`DROP TABLE ${tables.join(", ")}`]),
  ];
}

/** Who owns the relations, of what facts say. */
function ownersIn(facts: readonly Fact[]): string[] {
  const owners = facts.filter(({ object, resting }) => !resting && object.startsWith("owner of "));
  return [...new Set(owners.map(({ definition }) => definition))];
}

/** @throws Refusal naming what only a superuser could put back: the code of users would have its rights. */
async function refusePowerful(
  configuration: AgentConfiguration,
  facts: readonly Fact[],
  options: { readonly database: string; readonly signal: AbortSignal },
): Promise<void> {
  const found = await query<{ name: string }>(configuration, POWERFUL_ROLES, options);
  const powerful = new Set(found.map(({ name }) => name));
  const theirs = facts.filter(
    ({ object, definition, resting }) =>
      !resting && object.startsWith("owner of ") && powerful.has(definition),
  );
  if (theirs.length === 0) return;
  const named = [
    ...new Set(theirs.map(({ object, definition }) => `${object.slice("owner of ".length)} (${definition})`)),
  ].sort();
  throw new Refusal(
    `nothing was changed: parts come back without the rights of a superuser, which the owner of these has: ${named.join(", ")}: restore the whole database, or give them to another owner first`,
  );
}

/** From the database in use for what is there, from the backup for what is gone: as it stood last. */
async function additionsOf(
  configuration: AgentConfiguration,
  {
    database,
    relations,
    stored,
  }: Pick<Parts, "relations"> & { readonly database: string; readonly stored: Server },
  { signal }: Pick<Context, "signal">,
): Promise<{ readonly statement: string; readonly superuser: boolean }[]> {
  const options = { database, signal };
  const sql = additionStatements(relations);
  const now = await query<Addition>(configuration, sql, options);
  const then = await query<Addition>(stored, sql, options);
  const publications = await query<{ name: string; superuser: boolean }>(
    configuration,
    `SELECT pubname AS name, pg_get_userbyid(pubowner)::text IN (${POWERFUL_ROLES}) AS superuser FROM pg_publication`,
    options,
  );
  const present = await query<PresentRelation>(configuration, presentRelations(then), options);
  const isPresent = ({ schema, name }: RelationName): boolean =>
    present.some((relation) => relation.schema === schema && relation.name === name);
  const ofGone = then.filter(
    (addition) =>
      !isPresent(addition) &&
      (addition.publication == null || publications.some(({ name }) => name === addition.publication)),
  );
  const isSuperusers = ({ publication }: Addition): boolean =>
    publications.some(({ name, superuser }) => name === publication && superuser);
  return [...now, ...ofGone].map((addition) => {
    const superuser = isSuperusers(addition);
    const statement = superuser && !now.includes(addition) ? membership(addition) : addition.statement;
    return { statement, superuser };
  });
}

/**
 * What the superuser runs of a backup is made of names and of an expression that stays within its parentheses: the text of a
 * statement would be that of whoever has written the backup. In a filter PostgreSQL takes no function of users.
 *
 * @throws Refusal for any other expression.
 */
function membership({ publication = "", schema, name, columns, filter }: Addition): string {
  const table = `${quoteIdentifier(schema)}.${quoteIdentifier(name)}`;
  const some = columns == null ? "" : ` (${columns.map(quoteIdentifier).join(", ")})`;
  if (filter == null)
    return `ALTER PUBLICATION ${quoteIdentifier(publication)} ADD TABLE ONLY ${table}${some}`;
  if (isClosedExpression(filter)) {
    return `ALTER PUBLICATION ${quoteIdentifier(publication)} ADD TABLE ONLY ${table}${some} WHERE (${filter})`;
  }
  throw new Refusal(
    `nothing was changed: publication ${publication} belongs to a superuser and had rows of ${table} by a filter that only its owner should write again: give the publication another owner first, or restore the whole database`,
  );
}
