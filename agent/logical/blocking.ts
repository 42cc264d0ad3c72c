import type { Fact } from "./facts-query.ts";
import { shownName } from "./names.ts";
import type { Selection } from "./selection.ts";

const VIEWS: ReadonlySet<string> = new Set(["view", "materialized view"]);

/** Names what rests on parts of a database and does not come back with them, and the ways round. */
export function describeBlocking(
  blocking: readonly Fact[],
  kept: readonly Fact[],
  { schemas, tables }: Selection,
): string {
  const inBackup = new Set(kept.map(({ object }) => object));
  const also = blocking
    .filter(({ object, type }) => inBackup.has(object) && type !== null)
    .flatMap(({ type, identity }) =>
      VIEWS.has(type ?? "")
        ? [identity]
        : type === "table constraint"
          ? [identity?.slice(identity.indexOf(" on ") + " on ".length)]
          : [],
    );
  const wanted = [...new Set([...tables.map(({ schema }) => schema), ...schemas])];
  const ways = [
    ...(also.length === 0 ? [] : [`bring back too what is in the backup (${optionsOf("table", also)})`]),
    ...(tables.length === 0 ? [] : [`bring back the whole schema (${optionsOf("schema", wanted)})`]),
    "drop what is named first and create it again afterwards",
  ];
  const what = [...tables.map(shownName), ...schemas.map((schema) => `schema ${schema}`)].join(", ");
  const rest = blocking.map(({ object }) => object).sort();
  return `nothing was changed: ${rest.join(", ")} depend on ${what} and would be lost: ${ways.join("; or ")}`;
}

function optionsOf(option: string, names: readonly (string | null | undefined)[]): string {
  return [...new Set(names)]
    .map((name) => (name == null || /^[\w.$]+$/.test(name) ? name : `'${name.replaceAll("'", "'\\''")}'`))
    .map((name) => `--${option} ${name}`)
    .join(" ");
}
