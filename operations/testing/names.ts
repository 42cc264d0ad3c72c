import { randomBytes } from "node:crypto";
import { bearsMark } from "../../agent/database-mark.ts";
import { literal } from "../sql.ts";

/** What all databases that tests are served from are called by; the settings take no such name for another (settings/names.ts). */
const PREFIX = "pgstack";

/** The template of a snapshot, by what it was made from. */
export function templateName(key: string): string {
  return `${PREFIX}_template_${key}`;
}

/** A ready copy of a template. */
export function spareName(key: string): string {
  return `${sparePrefix(key)}${suffix()}`;
}

/** What the names of a template's ready copies begin with. */
export function sparePrefix(key: string): string {
  return `${PREFIX}_spare_${key}_`;
}

/** A template that is being made. */
export function buildingName(): string {
  return `${BUILDING_PREFIX}${suffix()}`;
}
export const BUILDING_PREFIX = `${PREFIX}_building_`;

/** A database that was replaced and is to go. */
export function oldName(): string {
  return `${OLD_PREFIX}${suffix()}`;
}
export const OLD_PREFIX = `${PREFIX}_old_`;

/** A database that a test is given. */
export function testName(key: string): string {
  return `${TEST_PREFIX}${key}_${suffix()}`;
}
export const TEST_PREFIX = `${PREFIX}_test_`;
/** Matches {@link testName} alone, as pg_hba.conf takes it. */
export const TEST_PATTERN = `/^${TEST_PREFIX}[0-9a-f]+_[0-9a-f]+$`;

/**
 * Comment of every database that is served from or given out, but for templates and ready copies: what does not bear it is
 * never dropped, whatever its name.
 */
export const MARK = "Made by pgstack for tests, and dropped when it is given back or replaced.";
/** Comment of a ready copy. */
export const READY = "ready";

/** A condition on the row `d` of pg_database: whether its name begins so and it bears the mark. */
export function isOurs(prefix: string, mark: string): string {
  return `starts_with(d.datname, ${literal(prefix)}) AND ${bearsMark(mark)}`;
}

/** Kinds of databases that are served from or given out: what their names begin with, and the mark that they bear. */
export const OF_TESTS: readonly (readonly [prefix: string, mark: string])[] = [
  ...[BUILDING_PREFIX, OLD_PREFIX, TEST_PREFIX].map((prefix) => [prefix, MARK] as const),
  [`${PREFIX}_spare_`, READY],
];

/** A condition on the row `d` of pg_database: whether it is a template, of this snapshot where its name is given. */
export function isTemplate(snapshot: string): string {
  const start = JSON.stringify({ snapshot }).slice(0, snapshot === "" ? -2 : -1);
  return `(starts_with(d.datname, ${literal(templateName(""))}) AND coalesce(starts_with(shobj_description(d.oid, 'pg_database'), ${literal(start)}), false))`;
}

function suffix(): string {
  return randomBytes(4).toString("hex");
}
