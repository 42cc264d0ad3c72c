import { Refusal } from "../failure.ts";

/** What to recover to. */
export type RecoveryTarget =
  /** The end of one backup. */
  | ({ readonly type: "backup"; readonly id: string } & AsOf)
  /** A moment, ISO 8601 with its zone. */
  | ({ readonly type: "time"; readonly value: string } & OnTimeline)
  /** A restore point. */
  | ({ readonly type: "name"; readonly value: string } & OnTimeline)
  | ({ readonly type: "xid"; readonly value: string } & OnTimeline)
  | ({ readonly type: "lsn"; readonly value: string } & OnTimeline)
  /** Everything that was archived. */
  | ({ readonly type: "latest" } & OnTimeline);

/** The timeline to follow. Default: the one that the stack is on; another was abandoned by a restore. */
interface OnTimeline extends AsOf {
  readonly timeline?: number;
}

/** When the repository in the object storage is read as of, as pgBackRest reads it. Default: what is there now, everywhere. */
interface AsOf {
  readonly repositoryTime?: string;
}

const TIME = /^\d{4}-\d\d-\d\d[T ]\d\d:\d\d(:\d\d(\.\d{1,6})?)?\s?(Z|[+-]\d\d(:?\d\d)?)$/;

/** A target from what a caller gave. @throws Refusal that says what would be right. */
export function parseTarget(given: unknown): RecoveryTarget {
  const { type, value, id, timeline: onTimeline, repositoryTime } = (given ?? {}) as Record<string, unknown>;
  const more = { ...parseTimeline(onTimeline), ...parseRepositoryTime(repositoryTime) };
  if (type === "latest") return { type, ...more };
  if (type === "backup" && typeof id === "string" && /^[\w-]+$/.test(id))
    return { type, id, ...parseRepositoryTime(repositoryTime) };
  if (typeof value === "string") {
    switch (type) {
      case "time":
        return { type, value: parseTime(value), ...more };
      case "name":
        if (/^[\w.-]{1,63}$/.test(value)) return { type, value, ...more };
        throw new Refusal(
          `${JSON.stringify(value)} is no restore point's name: letters, digits, ".", "_" and "-"`,
        );
      case "xid":
        if (/^\d{1,19}$/.test(value)) return { type, value, ...more };
        throw new Refusal(`${JSON.stringify(value)} is no transaction id: digits alone`);
      case "lsn":
        if (/^[0-9A-F]{1,8}\/[0-9A-F]{1,8}$/i.test(value))
          return { type, value: value.toUpperCase(), ...more };
        throw new Refusal(`${JSON.stringify(value)} is no place in the write-ahead log: such as 0/3000060`);
    }
  }
  throw new Refusal(
    "a restore needs a target: a backup, a time, a restore point's name, a transaction id or an LSN",
  );
}

function parseTimeline(given: unknown): OnTimeline {
  if (given === undefined) return {};
  const timeline = Number(given);
  if (Number.isInteger(timeline) && timeline >= 1 && timeline < 2 ** 32) return { timeline };
  throw new Refusal(
    `${JSON.stringify(given)} is no timeline: expected an integer from 1, see pgstack backups`,
  );
}

/** When a repository is to be read as of. @throws Refusal where it is no time, or none that has been. */
export function parseRepositoryTime(given: unknown): AsOf {
  if (given === undefined) return {};
  const repositoryTime = parseTime(String(given));
  if (Date.parse(repositoryTime) > Date.now())
    throw new Refusal(`${String(given)} is in the future: now is ${new Date().toISOString()}`);
  return { repositoryTime };
}

function parseTime(given: string): string {
  if (TIME.test(given) && !Number.isNaN(Date.parse(given.replace(/\s(?=Z|[+-]\d\d)/, ""))))
    return asTimestamp(given);
  throw new Refusal(
    `${JSON.stringify(given)} is no point in time: give it with its zone, such as 2026-03-01T14:30:00Z or 2026-03-01 15:30:00+01`,
  );
}

/** A time as PostgreSQL and pgBackRest both read it, with all its digits. */
function asTimestamp(given: string): string {
  const [, day = "", time = "", zone = ""] = /^(.{10})[T ]([\d:.]+)\s?(.+)$/.exec(given) ?? [];
  const seconds = /^\d\d:\d\d$/.test(time) ? `${time}:00` : time;
  return `${day} ${seconds}${zone === "Z" ? "+00" : zone}`;
}

/** A target in words. */
export function describeTarget(target: RecoveryTarget): string {
  const { repositoryTime } = target;
  const where = repositoryTime === undefined ? "" : `, in the repository as of ${repositoryTime}`;
  return describe(target) + where;
}

function describe(target: RecoveryTarget): string {
  switch (target.type) {
    case "backup":
      return `the end of backup ${target.id}`;
    case "time":
      return target.value;
    case "name":
      return `restore point ${target.value}`;
    case "xid":
      return `transaction ${target.value}`;
    case "lsn":
      return `LSN ${target.value}`;
    case "latest":
      return "everything that was archived";
  }
}
