import { executeInContainer } from "./execute.ts";
import { CONFIGURATION_DIRECTORY, CONFIGURATION_FILES } from "./postgresql-conf.ts";
import type { Target } from "./target.ts";

/**
 * The file that a server reads which somebody starts on the data volume by hand, without the entry point that keeps two
 * of the stack's own servers apart (before-start.ts).
 */
const CONFIGURATION = `# pgstack runs this cluster with the configuration in a volume of its own. A server that is started
# without that volume ends here, so that never two of them write to these files.
include '${CONFIGURATION_DIRECTORY}/${CONFIGURATION_FILES.postgresqlConf}'
`;

/**
 * Makes a server that is started on the data directory without the stack's configuration end at once. What stood in the
 * data directory's own postgresql.conf is kept beside it; the stack's server never reads it.
 */
export async function refuseForeignStart(target: Target): Promise<void> {
  const script = `umask 077 && cd "$PGDATA" && cat >postgresql.conf.new
if cmp -s postgresql.conf.new postgresql.conf; then rm postgresql.conf.new; exit 0; fi
[ -e postgresql.conf.before-pgstack ] || [ ! -e postgresql.conf ] || mv postgresql.conf postgresql.conf.before-pgstack
mv postgresql.conf.new postgresql.conf && sync .`;
  const { exitCode, stderr } = await executeInContainer(target, {
    command: ["sh", "-c", script],
    user: "postgres",
    input: CONFIGURATION,
  });
  if (exitCode !== 0)
    throw new Error(`postgresql.conf cannot be written into the data directory: ${stderr.trim()}`);
}
