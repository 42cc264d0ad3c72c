import { ContainerNotRunning } from "./execute.ts";
import { foreignContainers } from "./foreign/containers.ts";
import { clusterSql, databaseSql } from "./foreign/inspection-sql.ts";
import { queryAsSuperuser, SqlError } from "./superuser.ts";
import type { Target } from "./target.ts";

/** Something that is there and that the stack has not made: it is reported and left alone. */
export interface Foreign {
  readonly kind:
    | "role"
    | "database"
    | "replication slot"
    | "publication"
    | "subscription"
    | "event trigger"
    | "foreign server"
    | "setting"
    | "large objects"
    | "owner"
    | "container";
  readonly name: string;
  /** What it is or has, in a few words without secrets. */
  readonly detail: string;
  /** It gives somebody power over the server or its data, runs code for others, or fills the disk. */
  readonly alarming: boolean;
}

/** What the stack has made itself. */
export interface OwnThings {
  /** Names of its roles by kind. */
  readonly roles: Readonly<Record<"administrator" | "application" | "readonly", string>>;
  /** Name of its data volume; the others bear its label. */
  readonly dataVolume: string;
}

/** {@link findForeign}'s answer. */
export interface ForeignReport {
  readonly foreign: readonly Foreign[];
  /** Why the server itself could not be looked at; absent: it was. */
  readonly unseen?: string;
}

/** The server is away, or does not let in: drift of its own resources tells that. */
const CONNECTION_CODES: readonly (readonly [string, string])[] = [
  ["57P03", "the server does not take connections"],
  ["53300", "the server has no connection free"],
  ["3D000", "its database is not there"],
];

/**
 * Looks for what neither the stack nor PostgreSQL itself has made: roles that sign in or have power, databases, replication
 * slots, publications, subscriptions, event triggers, foreign servers, settings of databases and of roles in them, large objects, other owners,
 * and containers on the stack's volumes. Nothing is changed.
 */
export async function findForeign(target: Target, own: OwnThings): Promise<ForeignReport> {
  const [containers, ...answers] = await Promise.all([
    foreignContainers(target, own.dataVolume),
    asked(target, "postgres", clusterSql(own.roles, target)),
    asked(target, target.database, databaseSql(own.roles)),
  ]);
  const unseen = answers.find((answer) => typeof answer === "string");
  const foreign = [...answers.flatMap((answer) => (typeof answer === "string" ? [] : answer)), ...containers];
  return { foreign, ...(unseen === undefined ? {} : { unseen }) };
}

async function asked(target: Target, database: string, sql: string): Promise<Foreign[] | string> {
  try {
    return await queryAsSuperuser<Foreign>(target, sql, { database });
  } catch (error) {
    if (error instanceof ContainerNotRunning) return "the server does not run";
    const known = CONNECTION_CODES.find(([code]) => error instanceof SqlError && error.code === code);
    if (known === undefined) throw error;
    return known[1];
  }
}
