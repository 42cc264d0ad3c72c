import { DEFAULT_PARAMETERS, type ParameterValue } from "../operations/postgresql-conf/defaults.ts";
import { MEMORY_UNITS } from "../operations/postgresql-conf/memory-units.ts";
import { ALLOWED_VALUES, OWNED_PARAMETERS } from "../operations/postgresql-conf/owned-parameters.ts";
import { FAST_PARAMETERS } from "../operations/testing/fast-settings.ts";
import { bytesOf, type MemorySize } from "./memory-size.ts";
import { nearest } from "./nearest.ts";
import {
  type MajorVersion,
  type Parameter,
  parameterNames,
  parameterOf,
  parametersNamed,
} from "./parameter-catalogue.ts";
import type { Settings } from "./settings.ts";
import { type Looked, mapOf } from "./values.ts";

/** Parameters that have a key of their own. */
export const NAMED_PARAMETERS: ReadonlyMap<string, keyof Settings> = new Map([
  ["port", "port"],
  ["max_connections", "maxConnections"],
  ["shared_buffers", "sharedBuffers"],
  ["effective_cache_size", "effectiveCacheSize"],
  ["work_mem", "workMem"],
  ["maintenance_work_mem", "maintenanceWorkMem"],
]);

const COMMANDS = "the stack archives and recovers by itself";
const REPLICATION = "the stack sets up standbys by itself";
const DAMAGE = "it hides or makes damage; set it in a session of the superuser where a repair needs it";
/** Parameters refused beside those that operations/postgresql-conf owns. */
export const REFUSED: ReadonlyMap<string, string> = new Map([
  ["archive_mode", COMMANDS],
  ["archive_command", COMMANDS],
  ["archive_library", COMMANDS],
  ["archive_cleanup_command", COMMANDS],
  ["restore_command", COMMANDS],
  ["recovery_end_command", COMMANDS],
  ["primary_conninfo", REPLICATION],
  ["primary_slot_name", REPLICATION],
  ["allow_system_table_mods", DAMAGE],
  ["ignore_checksum_failure", DAMAGE],
  ["ignore_invalid_pages", DAMAGE],
  ["ignore_system_indexes", DAMAGE],
  ["zero_damaged_pages", DAMAGE],
  ["default_transaction_read_only", "the stack could not set up its roles; use the read-only role"],
  ["db_user_namespace", "it changes what the roles are called"],
]);

/** In microseconds. */
const TIMES: Readonly<Record<string, number>> = { us: 1, ms: 1e3, s: 1e6, min: 6e7, h: 3.6e9, d: 8.64e10 };
const ON_OFF = new Set(["on", "off", "true", "false", "yes", "no", "1", "0"]);

/** The map of PostgreSQL settings by their PostgreSQL names, each looked at as the server would. */
export function serverSettings() {
  return mapOf<ParameterValue>('{"random_page_cost": 1.1}', lookAtParameter).transform((map, context) => {
    const lower = new Map<string, ParameterValue>();
    for (const [given, one] of Object.entries(map)) {
      const name = given.toLowerCase();
      if (lower.has(name)) {
        const message = "is there twice, in capitals and small letters; PostgreSQL does not tell them apart";
        context.addIssue({ code: "custom", message, path: [given], params: { verbatim: true } });
      }
      lower.set(name, one);
    }
    return Object.fromEntries(lower);
  });
}

function lookAtParameter(given: string, one: unknown): Looked<ParameterValue> {
  const name = given.toLowerCase();
  if (!/^[a-z_][a-z0-9_]*(\.[a-z_][a-z0-9_]*)?$/.test(name) || name.length > 63) {
    return { wrong: "is not the name of a PostgreSQL setting, such as random_page_cost" };
  }
  const key = NAMED_PARAMETERS.get(name);
  if (key !== undefined) return { wrong: `has a key of its own; use pgstack:${key}` };
  const reason = OWNED_PARAMETERS.get(name) ?? REFUSED.get(name);
  if (reason !== undefined || name.startsWith("recovery_target")) {
    return { wrong: `is for the stack to set (${reason ?? COMMANDS}); remove it` };
  }
  if (typeof one !== "string" && typeof one !== "number" && typeof one !== "boolean") {
    return { right: "a text, a number, true or false" };
  }
  // Which major version it is for is another key: here it must be fit for one of them.
  const looked = parametersNamed(name).map((parameter) => lookAtValue(name, parameter, one));
  const [first] = looked;
  if (first !== undefined) return looked.find((answer) => "fit" in answer) ?? first;
  if (name.includes(".")) return { fit: one };
  const near = nearest(name, parameterNames());
  return { wrong: `is not a setting of PostgreSQL${near === undefined ? "" : `; did you mean ${near}?`}` };
}

/** What would be right for a parameter that one major version does not know or take as another does; undefined when it fits. */
export function unfitForMajor(name: string, given: ParameterValue, major: MajorVersion): string | undefined {
  if (name.includes(".")) return undefined;
  const parameter = parameterOf(name, major);
  if (parameter === undefined) return `absent: PostgreSQL ${major} has no such setting`;
  const looked = lookAtValue(name, parameter, given);
  return "right" in looked ? looked.right : undefined;
}

function lookAtValue(name: string, parameter: Parameter, one: ParameterValue): Looked<ParameterValue> {
  const word = String(one).toLowerCase();
  const values =
    ALLOWED_VALUES.get(name)?.filter((allowed) => allowed !== "") ?? parameter.values?.split("|");
  if (values !== undefined) {
    const fits =
      values.some((allowed) => allowed.toLowerCase() === word) ||
      (values.includes("off") && ON_OFF.has(word));
    return fits ? { fit: one } : { right: `one of ${values.join(", ")}` };
  }
  if (parameter.type === "bool") return ON_OFF.has(word) ? { fit: one } : { right: "on or off" };
  if (parameter.type === "string") return { fit: one };
  const number = inOwnUnit(one, parameter.unit);
  const { minimum = Number.NEGATIVE_INFINITY, maximum = Number.POSITIVE_INFINITY, unit } = parameter;
  if (number !== undefined && number >= minimum && number <= maximum) return { fit: one };
  const written =
    unit === undefined ? "" : `, counted in ${unit} or with a unit such as ${exampleUnit(unit)}`;
  const range = maximum > 1e300 ? `of at least ${minimum}` : `from ${minimum} to ${maximum}`;
  return { right: `a number ${range}${written}` };
}

function exampleUnit(unit: string): string {
  return unit in TIMES ? "ms, s, min or h" : "kB, MB or GB";
}

/** A number with or without unit, in the unit that the parameter counts in. */
function inOwnUnit(given: ParameterValue, unit: string | undefined): number | undefined {
  const [, digits = "", written = ""] = /^(-?\d{1,18}(?:\.\d{1,9})?) ?([a-zA-Z]*)$/.exec(String(given)) ?? [];
  if (digits === "") return undefined;
  if (written === "") return Number(digits);
  const [, count = "1", base = ""] = /^(\d*)(\D+)$/.exec(unit ?? "") ?? [];
  const table = base in TIMES ? TIMES : MEMORY_UNITS;
  const [from, to] = [table[written], table[base]];
  return from === undefined || to === undefined
    ? undefined
    : (Number(digits) * from) / (to * Number(count || 1));
}

/**
 * A parameter's number in bytes (memory), microseconds (time) or as it is, from the user's settings or the default;
 * undefined where neither says anything.
 */
export function parameterNumber(
  settings: Pick<Settings, "serverSettings">,
  name: string,
): number | undefined {
  const given = parameterValue(settings, name);
  const unit = parametersNamed(name)[0]?.unit;
  if (given === undefined) return undefined;
  const number = inOwnUnit(given, unit);
  const [, count = "1", base = ""] = /^(\d*)(\D+)$/.exec(unit ?? "") ?? [];
  return number === undefined
    ? undefined
    : number * Number(count || 1) * (MEMORY_UNITS[base] ?? TIMES[base] ?? 1);
}

/** A parameter's value from the user's settings or the default. */
export function parameterValue(
  settings: Pick<Settings, "serverSettings">,
  name: string,
): ParameterValue | undefined {
  return (
    settings.serverSettings[name] ??
    DEFAULT_PARAMETERS.flatMap((group) => group.parameters).find((one) => one.name === name)?.value
  );
}

/** Whether PostgreSQL has a parameter of this name. */
export function isServerParameter(name: string): boolean {
  return parametersNamed(name.toLowerCase()).length > 0;
}

/** All PostgreSQL settings of a stack by their PostgreSQL names, for `renderPostgresqlConf`; the port is its option. */
export function serverParameters(settings: Settings): Readonly<Record<string, ParameterValue>> {
  return {
    ...(settings.dataInMemory === undefined ? {} : inMemoryParameters(settings.dataInMemory)),
    ...settings.serverSettings,
    max_connections: settings.maxConnections,
    shared_buffers: settings.sharedBuffers,
    effective_cache_size: settings.effectiveCacheSize,
    work_mem: settings.workMem,
    maintenance_work_mem: settings.maintenanceWorkMem,
  };
}

/** What does not wait for disks, a write-ahead log that leaves room for the data, and no line for each of a suite's many connections. */
function inMemoryParameters(size: MemorySize): Readonly<Record<string, ParameterValue>> {
  const quarter = Math.floor(bytesOf(size) / 4 / 1024 ** 2);
  return {
    ...FAST_PARAMETERS,
    min_wal_size: "32MB",
    max_wal_size: `${Math.max(32, quarter)}MB`,
    log_connections: false,
    log_disconnections: false,
  };
}
