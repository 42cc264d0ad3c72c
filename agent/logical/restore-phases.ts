/** Entries of a dump that are restored one after the other by the same login. */
export interface Phase {
  readonly by: "superuser" | "limited login";
  /** Numbers of the entries, in the dump's order. */
  readonly entries: readonly string[];
}

/** How a dump is restored. */
export interface RestorePhases {
  readonly first: readonly Phase[];
  readonly creating: readonly Phase[];
  /** Once everything is there and has its owner. */
  readonly finishing: readonly Phase[];
}

/** Who owns what in a dump. */
export interface Owners {
  /** Every role that may be an owner, of the dump and of the server. */
  readonly roles: readonly string[];
  /** Roles of the server that a limited login does not act for. */
  readonly powerful: ReadonlySet<string>;
  /** Identifiers, at the source, of routines that only a superuser can make. */
  readonly privilegedRoutines: ReadonlySet<string>;
}

/** The first of all: no code of users is there yet when the scripts of extensions run. */
const FIRST = ["SCHEMA", "EXTENSION"];
/** What only a superuser makes, and what evaluates no expression of users. */
const PRIVILEGED = [
  ...["PROCEDURAL LANGUAGE", "ACCESS METHOD", "OPERATOR CLASS", "OPERATOR FAMILY", "CAST", "TRANSFORM"],
  ...[
    "TEXT SEARCH PARSER",
    "TEXT SEARCH TEMPLATE",
    "SHELL TYPE",
    "FOREIGN DATA WRAPPER",
    "SERVER",
    "USER MAPPING",
  ],
  ...["BLOB", "BLOBS", "BLOB METADATA"],
];
const GRANTS = ["ACL", "DEFAULT ACL"];
/** After the grants: it is computed with the rights of its owner. */
const COMPUTED = ["MATERIALIZED VIEW DATA"];
const LAST = [
  ...["COMMENT", "SECURITY LABEL", "PUBLICATION", "PUBLICATION TABLE", "PUBLICATION TABLES IN SCHEMA"],
  ...["SUBSCRIPTION", "SUBSCRIPTION TABLE", "EVENT TRIGGER"],
];
/** Rows and values: their checks and generated columns are code of users, whoever owns the table. */
const DATA = ["TABLE DATA", "SEQUENCE SET"];
const ROUTINES = ["FUNCTION", "PROCEDURE"];

/**
 * Who restores which entries of a dump, in which order: everything that may evaluate what users have made is the limited
 * login's; the superuser's is what that one may not, and what the superuser itself owned.
 *
 * @param list What `pg_restore --list` prints.
 */
export function restorePhases(list: string, owners: Owners): RestorePhases {
  const entries = entriesOf(list);
  const of = (types: readonly string[]) => entries.filter((entry) => isOneOf(entry, types));
  const shells = new Set(of(["SHELL TYPE"]).map(({ text }) => text.slice("SHELL ".length)));
  const byLength = [...owners.roles].sort((left, right) => right.length - left.length);
  const byOf = (entry: Entry): Phase["by"] => {
    if (isOneOf(entry, DATA)) return "limited login";
    if (isOneOf(entry, PRIVILEGED) || shells.has(entry.text)) return "superuser";
    if (isOneOf(entry, ROUTINES) && owners.privilegedRoutines.has(entry.object)) return "superuser";
    // A name may have blanks: of those that the line may end with, the longest is meant.
    const owner = byLength.find((role) => entry.text.endsWith(` ${oneLine(role)}`));
    return owner !== undefined && owners.powerful.has(owner) ? "superuser" : "limited login";
  };
  const superuser = (): Phase["by"] => "superuser";
  const later = [...FIRST, ...GRANTS, ...COMPUTED, ...LAST];
  return {
    first: phases(of(FIRST), superuser),
    creating: phases(
      entries.filter((entry) => !isOneOf(entry, later)),
      byOf,
    ),
    finishing: [
      ...phases(of(GRANTS), superuser),
      ...phases(of(COMPUTED), byOf),
      ...phases(of(LAST), superuser),
    ],
  };
}

function phases(entries: readonly Entry[], byOf: (entry: Entry) => Phase["by"]): Phase[] {
  const found: { by: Phase["by"]; entries: string[] }[] = [];
  for (const entry of entries) {
    const by = byOf(entry);
    const last = found.at(-1);
    if (last?.by === by) last.entries.push(entry.number);
    else found.push({ by, entries: [entry.number] });
  }
  return found;
}

interface Entry {
  readonly number: string;
  readonly catalogue: string;
  /** Identifier of the object at the source. */
  readonly object: string;
  /** Type, schema, name and owner. */
  readonly text: string;
}

/** Default values of columns: one in a schema that is named ACL looks like a DEFAULT ACL, and is an expression. */
const PG_ATTRDEF = "2604";

function entriesOf(list: string): Entry[] {
  return list.split("\n").flatMap((line) => {
    const [, number = "", catalogue = "", object = "", text] = /^(\d+); (\d+) (\d+) (.*)$/.exec(line) ?? [];
    return text === undefined ? [] : [{ number, catalogue, object, text }];
  });
}

function isOneOf({ catalogue, text }: Entry, types: readonly string[]): boolean {
  return catalogue !== PG_ATTRDEF && types.some((type) => text.startsWith(`${type} `));
}

/** As the table of contents writes names. */
function oneLine(text: string): string {
  return text.replaceAll(/[\r\n]/g, " ");
}
