import type { RoleKind } from "../roles.ts";
import { errorLine } from "../user-error.ts";
import { type HealthCheck, NoSession, singleRow } from "./check.ts";
import type { Finding } from "./report.ts";
import { type HealthThresholds, judge } from "./thresholds.ts";

/** What a role's diagnostic query tells. */
export interface RoleAnswer {
  readonly role: string;
  readonly database: string;
  readonly readOnly: boolean;
  readonly milliseconds: number;
}

/** The role signs in and a diagnostic query answers. Value: milliseconds of the query. */
export function roleQuery(kind: RoleKind): HealthCheck {
  return {
    name: `query as ${kind}`,
    quick: kind === "administrator",
    async run({ session, credentials, target, thresholds, facts }) {
      let connected: Awaited<ReturnType<typeof session>>;
      try {
        connected = await session(kind);
      } catch (error) {
        // Here the cause itself is what is to be reported, not that there is none.
        const cause = error instanceof NoSession ? error.cause : error;
        return { status: "failed", message: errorLine(cause) };
      }
      const started = performance.now();
      const row = await singleRow<{ role: string; database: string; read_only: string; version: string }>(
        connected,
        `select current_user::text as role, current_database()::text as database,
                current_setting('default_transaction_read_only') as read_only,
                current_setting('server_version') as version`,
      );
      const milliseconds = performance.now() - started;
      facts.serverVersion ??= row.version;
      const answer = {
        role: row.role,
        database: row.database,
        readOnly: row.read_only === "on",
        milliseconds,
      };
      const expected = { role: credentials[kind].role, database: target.database, kind };
      return evaluateRoleAnswer(answer, expected, thresholds);
    },
  };
}

/** Judges who answered, where, and how fast. */
export function evaluateRoleAnswer(
  answer: RoleAnswer,
  expected: { readonly role: string; readonly database: string; readonly kind: RoleKind },
  thresholds: Pick<HealthThresholds, "queryMilliseconds">,
): Finding {
  const value = Math.round(answer.milliseconds);
  if (answer.role !== expected.role || answer.database !== expected.database) {
    const found = `${answer.role} on ${answer.database}`;
    return {
      status: "failed",
      message: `answered as ${found}, not as ${expected.role} on ${expected.database}`,
      value,
    };
  }
  if (expected.kind === "readonly" && !answer.readOnly) {
    return {
      status: "warning",
      message: "default_transaction_read_only is off for this role: run `up`",
      value,
    };
  }
  const status = judge(answer.milliseconds, thresholds.queryMilliseconds);
  return { status, message: `${answer.role} on ${answer.database} in ${value} ms`, value };
}
