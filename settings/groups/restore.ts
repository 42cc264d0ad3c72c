import { z } from "zod";
import { Refusal } from "../../agent/failure.ts";
import { parseRepositoryTime, parseTarget } from "../../agent/restore/target.ts";
import { setting } from "../documentation.ts";
import { dockerName } from "../names.ts";
import { OBJECT_STORAGE_EXAMPLE, objectStorageShape } from "../object-storage.ts";
import { hostDirectory } from "../paths.ts";
import { secretText } from "../repository.ts";
import type { RestoreSettings } from "../settings.ts";
import { flag, moment } from "../values.ts";

const TARGETS = ["backup", "time", "name", "xid", "lsn"] as const;
const SOURCES = ["volume", "directory", "s3"] as const;

const given = z.strictObject(
  {
    backup: z.string().optional(),
    time: z.string().optional(),
    name: z.string().optional(),
    xid: z.union([z.string(), z.number()]).optional(),
    lsn: z.string().optional(),
    latest: flag().optional(),
    accept: z.string().optional(),
    repositoryTime: z.string().optional(),
    from: z
      .strictObject(
        {
          volume: dockerName().optional(),
          directory: hostDirectory().optional(),
          s3: z.strictObject(objectStorageShape, { error: OBJECT_STORAGE_EXAMPLE }).optional(),
          encryptionKey: secretText().optional(),
        },
        { error: 'a map such as {"volume": "pgstack-shop-backups"}' },
      )
      .optional(),
  },
  { error: 'a map such as {"time": "2026-03-01T14:30:00Z"}' },
);

/** What a stack's database is brought back to by `pulumi up`. */
export const restoreKeys = {
  allowRestoreUntil: setting(
    moment().optional(),
    "Until when a production stack may be restored in place, at most a day from now: a permission for one time.",
    { group: "Backup", fallback: "none", example: '"2026-03-01T18:00:00Z"' },
  ),
  restore: setting(
    given
      .transform((value, context): RestoreSettings => {
        const refuse = (message: string, path: string[] = []): never => {
          context.addIssue({ code: "custom", message, path, input: value, params: { verbatim: true } });
          return z.NEVER;
        };
        const targets = [
          ...TARGETS.filter((name) => value[name] !== undefined),
          ...(value.latest ? ["latest"] : []),
        ];
        const [type] = targets;
        if (type === undefined || targets.length > 1) {
          return refuse(`must name one target: ${[...TARGETS, "latest"].join(", ")}`);
        }
        const accept = value.accept?.trim();
        if (accept !== undefined && (accept.length < 3 || accept.length > 500)) {
          return refuse("must be the reason in 3 to 500 characters", ["accept"]);
        }
        const sources =
          value.from === undefined ? [] : SOURCES.filter((name) => value.from?.[name] !== undefined);
        if (value.from !== undefined && sources.length !== 1) {
          return refuse(`must name one place: ${SOURCES.join(", ")}`, ["from"]);
        }
        let repositoryTime: { readonly repositoryTime?: string };
        try {
          repositoryTime = parseRepositoryTime(value.repositoryTime);
        } catch (error) {
          if (error instanceof Refusal) return refuse(`is refused: ${error.message}`, ["repositoryTime"]);
          throw error;
        }
        if (value.repositoryTime !== undefined && value.from !== undefined && value.from.s3 === undefined) {
          return refuse("goes with from.s3: no other place keeps what was deleted", ["repositoryTime"]);
        }
        try {
          const wanted = String(value[type as "backup"] ?? "");
          const named = type === "backup" ? { id: wanted } : { value: wanted };
          const target = parseTarget({ type, ...named, ...repositoryTime });
          return {
            target,
            ...(accept === undefined ? {} : { accept }),
            ...(value.from === undefined ? {} : { from: value.from }),
          };
        } catch (error) {
          if (error instanceof Refusal) return refuse(`is refused: ${error.message}`, [type]);
          throw error;
        }
      })
      .optional(),
    "Bring the database back to a backup or a point in time at the next `up`, once for each value: `backup` (an id), `time` (with its zone), `name` (a restore point), `xid`, `lsn` or `latest: true`. `accept` gives the reason to take what fails verification. `repositoryTime` reads the object storage as it was then, when all of it was deleted since and its bucket keeps versions. With `from` (a `volume`, a `directory` of the Docker host or `s3`, and the `encryptionKey` where the backups have one) a new stack begins with another one's backups in place of an empty database.",
    {
      group: "Backup",
      fallback: "none",
      example: '{time: "2026-03-01T14:30:00Z"}',
      structured: true,
      caution: "The next `up` replaces the database's content; the state before is backed up and kept.",
    },
  ),
};
