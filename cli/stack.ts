import { resolve } from "node:path";
import type { DatabaseSpecification } from "../operations/database.ts";
import type { HealthThresholds, RoleKind } from "../operations/health.ts";
import type { Credential, ServerTrust, Target } from "../operations/target.ts";
import { UserError } from "../operations/user-error.ts";
import { PROJECT_DIRECTORY } from "../toolchain/directories.mjs";
import { NotProvisioned } from "./exit-codes.ts";
import { ROLE_KINDS } from "./options.ts";
import { pulumi } from "./pulumi.ts";

/** What a stack that is up tells about itself. */
export interface Stack {
  readonly target: Target;
  /** Names of the roles by their kind. */
  readonly roles: Readonly<Record<RoleKind, string>>;
  /** Undefined: TLS is off. */
  readonly trust: ServerTrust | undefined;
  /** Where the stack's port is published on the Docker host; undefined when it is not. */
  readonly published: { readonly address: string; readonly port: number } | undefined;
  /** Absolute path. */
  readonly logsDirectory: string;
  readonly environment: string;
  /** Version of its schema; null: the stack does not see to it. */
  readonly schemaVersion: string | null;
  readonly thresholds: HealthThresholds | undefined;
  /** Cron line; undefined: there are no backups. */
  readonly backupSchedule: string | undefined;
  /** Name of the volume with the backups; undefined: none, or the stack was brought up before it told. */
  readonly backupVolume: string | undefined;
  /** Id of the folder with the backups; undefined as `backupVolume`. */
  readonly backupFolder: string | undefined;
  /** What a reset of a test stack's database goes by; undefined elsewhere. */
  readonly testing: Testing | undefined;
  readonly image: { readonly reference: string; readonly pinned: string } | undefined;
  /** Name of the volume with the cluster; empty where the stack was brought up before it told. */
  readonly dataVolume: string;
}

/** What a reset of a test stack's database goes by. */
export interface Testing {
  readonly specification: DatabaseSpecification;
  /** The snapshot that the stack declares; null: none. */
  readonly snapshot: string | null;
}

/** A stack with what its roles sign in with. */
export interface StackWithCredentials extends Stack {
  readonly credentials: Readonly<Record<RoleKind, Credential>>;
}

type Fields = Readonly<Record<string, unknown>>;

/**
 * The stack's outputs, without its secrets.
 *
 * @throws NotProvisioned when there is no such stack, or it has no outputs yet.
 */
export async function readStack(name: string): Promise<Stack> {
  return stackOf(name, await outputs(name));
}

/** How to reach a stack whose outputs were read before; undefined: they were not. */
export function knownTarget(name: string): Target | undefined {
  return targets.get(name);
}

const targets = new Map<string, Target>();

/** The stack's outputs with the roles' passwords. @throws NotProvisioned as {@link readStack}. */
export async function readStackWithCredentials(name: string): Promise<StackWithCredentials> {
  const values = await outputs(name, "--show-secrets");
  const stack = stackOf(name, values);
  const passwords = fields(values.passwords);
  const credentials = byKind((kind) => {
    const password = passwords[kind];
    if (typeof password !== "string") throw notProvisioned(name);
    return { role: stack.roles[kind], password };
  });
  return { ...stack, credentials };
}

/**
 * What the stack's backups are encrypted with: backups outlive a stack that was destroyed, and a saved state has its key.
 *
 * @throws UserError when they are not.
 */
export async function readBackupKey(name: string): Promise<string> {
  let values = await outputs(name, "--show-secrets").catch((error: unknown) => {
    if (error instanceof NotProvisioned) return {} as Fields;
    throw error;
  });
  if (values.connection === undefined) {
    const { savedOutputs } = await import("./state/proof.ts");
    values = fields(await savedOutputs(name));
    if (values.connection === undefined) throw notProvisioned(name);
  }
  const key = text(values.backupKey);
  if (key === undefined) {
    throw new UserError(`the backups of stack ${name} are not encrypted: pgstack:backupEncryption is false`);
  }
  return key;
}

/** A plain setting as the stack's config has it now, whether it was brought up or not; empty: it is not set. */
export async function readSetting(name: string, key: string): Promise<string> {
  const config = fields(JSON.parse(await pulumi(name, "config", "--json")));
  return text(fields(config[`pgstack:${key}`]).value) ?? "";
}

/** Refuses, in words that help, when the stack's Docker engine does not answer. */
export async function requireStackEngine({ target }: Stack): Promise<void> {
  const { dockerEngine, requireEngine } = await import("../operations/docker.ts");
  await requireEngine(dockerEngine(target.dockerHost));
}

/** The stack's outputs, with its Docker engine known to answer. @throws as {@link readStack}. */
export async function openStack(name: string): Promise<Stack> {
  const stack = await readStack(name);
  await requireStackEngine(stack);
  return stack;
}

async function outputs(name: string, ...options: readonly string[]): Promise<Fields> {
  return fields(JSON.parse(await pulumi(name, "stack", "output", "--json", ...options)));
}

function stackOf(name: string, values: Fields): Stack {
  const connection = fields(values.connection);
  const deployed = fields(values.deployed);
  const { container, port, database, dockerHost } = fields(connection.target);
  if (typeof container !== "string" || typeof port !== "number" || typeof database !== "string") {
    throw notProvisioned(name);
  }
  const target = {
    ...{ stack: name, container, port, database },
    ...(typeof dockerHost === "string" ? { dockerHost } : {}),
  };
  targets.set(name, target);
  const roles = fields(connection.roles);
  const published = fields(connection.published);
  const image = fields(deployed.image);
  return {
    target,
    roles: byKind((kind) => String(roles[kind])),
    trust: connection.tls === true ? trustOf(connection) : undefined,
    published:
      typeof published.address === "string" && typeof published.port === "number"
        ? { address: published.address, port: published.port }
        : undefined,
    logsDirectory: resolve(PROJECT_DIRECTORY, text(connection.logsDirectory) ?? "logs"),
    environment: text(deployed.environment) ?? "unknown",
    schemaVersion: text(deployed.schemaVersion) ?? null,
    thresholds: connection.healthThresholds as HealthThresholds | undefined,
    backupSchedule: text(connection.backupSchedule),
    backupFolder: text(connection.backupFolder),
    backupVolume: text(connection.backupVolume),
    dataVolume: text(deployed.dataVolume) ?? "",
    testing: (values.testing ?? undefined) as Testing | undefined,
    image:
      image.pinned === undefined
        ? undefined
        : { reference: String(image.reference), pinned: String(image.pinned) },
  };
}

function trustOf(connection: Fields): ServerTrust {
  const authority = text(connection.authority);
  const serverName = String(connection.serverName);
  return authority === undefined ? { serverName } : { authority, serverName };
}

function notProvisioned(name: string): NotProvisioned {
  return new NotProvisioned(
    `stack ${name} is there, but has never been brought up whole: npm start -- --stack ${name} does it`,
  );
}

function byKind<T>(value: (kind: RoleKind) => T): Record<RoleKind, T> {
  return Object.fromEntries(ROLE_KINDS.map((kind) => [kind, value(kind)])) as Record<RoleKind, T>;
}

function fields(value: unknown): Fields {
  return typeof value === "object" && value !== null ? (value as Fields) : {};
}

function text(value: unknown): string | undefined {
  return typeof value === "string" && value !== "" ? value : undefined;
}
