import type { Change } from "../change.ts";
import { identifier } from "../sql.ts";
import type { GuardedFunction } from "./inspection.ts";
import type { DatabaseSpecification } from "./specification.ts";

/**
 * Functions of PostgreSQL by which a role that may only read would write without bound, and which everybody may call
 * unless it is taken away: large objects, messages into the log of changes, files of snapshots. Those by other names
 * (`lo_import`, `lo_export`) are the superuser's from the start.
 */
export const GUARDED_FUNCTIONS: readonly string[] = [
  ...[
    "lo_creat",
    "lo_create",
    "lo_from_bytea",
    "lo_put",
    "lo_truncate",
    "lo_truncate64",
    "lo_unlink",
    "lowrite",
  ],
  ...["pg_logical_emit_message", "pg_export_snapshot"],
];

/**
 * The administrator may call such a function and grant it: to an application that needs it, which is left so. Everybody
 * and the reader may not, whoever granted it.
 */
export function guardedFunctionChanges(
  { name, items }: GuardedFunction,
  { administrator, readonly }: DatabaseSpecification,
): Change[] {
  const shownName = name.replaceAll(/\s+/g, " ");
  const granted = items.some(
    ([grantee, , grantable, grantor]) => grantee === administrator && grantable && grantor !== administrator,
  );
  const grant = `GRANT EXECUTE ON FUNCTION ${name} TO ${identifier(administrator)} WITH GRANT OPTION`;
  const revoked = items
    .filter(([grantee]) => grantee === null || grantee === readonly)
    .map(([grantee, , , grantor]): Change => {
      const who = grantee === null ? "PUBLIC" : identifier(grantee);
      const revoke = `REVOKE EXECUTE ON FUNCTION ${name} FROM ${who} CASCADE`;
      return {
        description: `function ${shownName}: revoke EXECUTE from ${who}`,
        // A superuser's REVOKE speaks as the owner, and reaches what the owner granted.
        sql:
          grantor === administrator
            ? `SET LOCAL ROLE ${identifier(grantor)};\n${revoke};\nRESET ROLE`
            : revoke,
      };
    });
  return [
    ...(granted
      ? []
      : [
          { description: `function ${shownName}: grant EXECUTE to ${identifier(administrator)}`, sql: grant },
        ]),
    ...revoked,
  ];
}
