import { dockerEngine, findContainer } from "../docker.ts";
import { literal } from "../sql.ts";
import { queryAsSuperuser, runAsSuperuser } from "../superuser.ts";
import { LABEL_ENVIRONMENT, type Target } from "../target.ts";
import { UserError } from "../user-error.ts";

/** A role that nobody can sign in as: its comment says of which cluster and stack it is the mark. */
const MARKER_ROLE = "pgstack_test_environment";

/** What the mark must say: a cluster that was copied or restored elsewhere has another stack, or another identifier. */
const WANTED = (stack: string) =>
  `(SELECT json_build_object('stack', ${literal(stack)}, 'systemIdentifier', system_identifier::text)::text FROM pg_control_system())`;

/** Marks the cluster of a test stack as one whose databases may be thrown away. */
export async function markTestEnvironment(target: Target): Promise<void> {
  await runAsSuperuser(
    target,
    `SELECT NOT EXISTS (SELECT FROM pg_roles WHERE rolname = '${MARKER_ROLE}') AS missing \\gset
\\if :missing
CREATE ROLE ${MARKER_ROLE} NOLOGIN;
\\endif
SELECT format('COMMENT ON ROLE ${MARKER_ROLE} IS %L', ${WANTED(target.stack)}) \\gexec
`,
  );
}

/** Takes the mark away: nothing in the cluster is reset any more. */
export async function unmarkTestEnvironment(target: Target): Promise<void> {
  await runAsSuperuser(target, `DROP ROLE IF EXISTS ${MARKER_ROLE};`);
}

/** Whether the cluster bears its own stack's mark. */
export async function isMarked(target: Target): Promise<boolean> {
  const [row] = await queryAsSuperuser<{ marked: boolean }>(
    target,
    `SELECT EXISTS (SELECT FROM pg_roles WHERE rolname = '${MARKER_ROLE}'
       AND shobj_description(oid, 'pg_authid') = ${WANTED(target.stack)}) AS marked`,
  );
  return row?.marked === true;
}

/**
 * Refuses whatever throws a database away in a stack that is not for tests. Its config is looked at by the caller; here are
 * the two places that no config can change: the label that the container was made with, and the mark in the cluster.
 *
 * @throws UserError naming the place that says no.
 */
export async function requireTestEnvironment(target: Target): Promise<void> {
  const container = await findContainer(dockerEngine(target.dockerHost), target.container);
  const label = container?.Config.Labels?.[LABEL_ENVIRONMENT] ?? "unknown";
  if (label !== "test") {
    throw refused(
      target,
      `the container ${target.container} was made for ${label} (label ${LABEL_ENVIRONMENT})`,
    );
  }
  if (!(await isMarked(target))) {
    throw refused(target, "the cluster does not bear the mark of this stack's test environment");
  }
}

/** @throws UserError where the stack's own config is for something else. */
export function requireTestSetting(stack: string, environment: string): void {
  if (environment === "test") return;
  throw new UserError(
    `nothing was changed: stack ${stack} is for ${environment} (pgstack:environment), and databases are reset in test stacks alone`,
  );
}

function refused({ stack }: Target, reason: string): UserError {
  return new UserError(
    `nothing was changed: ${reason}, and databases of stack ${stack} are reset in test stacks alone`,
  );
}
