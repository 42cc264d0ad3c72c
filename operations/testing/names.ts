import { randomBytes } from "node:crypto";

/** What all databases that tests are served from are called by; nothing else in a cluster has such a name. */
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

function suffix(): string {
  return randomBytes(4).toString("hex");
}
