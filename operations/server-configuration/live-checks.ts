import { setTimeout as delay } from "node:timers/promises";
import { executeInContainer } from "../execute.ts";
import { queryAsSuperuser } from "../superuser.ts";
import type { Target } from "../target.ts";

const RELOAD_TIMEOUT_MILLISECONDS = 15_000;
const POLL_MILLISECONDS = 25;
/**
 * What the server says of a parameter that only a restart changes; the values themselves were tried before by
 * {@link tryParameters}.
 */
const NEEDS_RESTART = "setting could not be applied";

/** Reads the text as configuration with the server's own program, beside the running server. */
const TRY_SCRIPT = `set -eu
umask 077
file=$(mktemp)
trap 'rm -f "$file"' EXIT
cat >"$file"
LC_ALL=C postgres -D "$PGDATA" -c config_file="$file" -C config_file 2>&1 >/dev/null`;

/**
 * Has the server's own program read a postgresql.conf that is not in place yet.
 *
 * @returns What is wrong with it, on one line; undefined when nothing is.
 */
export async function tryParameters(target: Target, text: string): Promise<string | undefined> {
  const { exitCode, stdout, stderr } = await executeInContainer(target, {
    command: ["sh", "-c", TRY_SCRIPT],
    user: "postgres",
    input: text,
  });
  if (exitCode === 0) return undefined;
  const lines = `${stdout}\n${stderr}`
    .split("\n")
    .flatMap((line) => /\b(?:LOG|ERROR|FATAL|HINT|DETAIL):\s+(.*)$/.exec(line)?.[1] ?? [])
    .filter((line) => !/contains errors/.test(line))
    .map((line) => line.replace(/ in file "[^"]*"/, ""));
  return lines.length === 0 ? `the server's program ends with ${exitCode}` : [...new Set(lines)].join("; ");
}

/** What the running server finds wrong with the files that are in place; empty when nothing is. */
export async function configurationErrors(target: Target): Promise<string[]> {
  const rows = await queryAsSuperuser<{ message: string }>(
    target,
    `SELECT format('%s line %s: %s%s', sourcefile, sourceline, coalesce(name || ': ', ''), error) AS message
       FROM pg_file_settings f
      WHERE error IS NOT NULL
        AND NOT (error = '${NEEDS_RESTART}'
                 AND EXISTS (SELECT FROM pg_settings s WHERE s.name = lower(f.name) AND s.context = 'postmaster'))
     UNION ALL
     SELECT format('%s line %s: %s', file_name, line_number, error)
       FROM pg_hba_file_rules WHERE error IS NOT NULL`,
  );
  return rows.map((row) => row.message);
}

/**
 * Has the server read its files again, and returns when it has.
 *
 * @throws Error when it does not within 15 seconds.
 */
export async function reload(target: Target): Promise<void> {
  const loadTime = async (): Promise<string | undefined> =>
    (await queryAsSuperuser<{ at: string }>(target, "SELECT pg_conf_load_time()::text AS at"))[0]?.at;
  const [before] = await queryAsSuperuser<{ at: string }>(
    target,
    "SELECT pg_conf_load_time()::text AS at, pg_reload_conf() AS signalled",
  );
  const deadline = performance.now() + RELOAD_TIMEOUT_MILLISECONDS;
  // A session started after the reload inherits the new time; the one that asked for it may know it or not.
  while ((await loadTime()) === before?.at) {
    if (performance.now() > deadline) {
      throw new Error(
        `the server has not read its configuration again within ${RELOAD_TIMEOUT_MILLISECONDS / 1000} s`,
      );
    }
    await delay(POLL_MILLISECONDS);
  }
}

/** Names of the parameters whose new value waits for a restart. */
export async function pendingRestart(target: Target): Promise<string[]> {
  const rows = await queryAsSuperuser<{ name: string }>(
    target,
    "SELECT name FROM pg_settings WHERE pending_restart ORDER BY name",
  );
  return rows.map((row) => row.name);
}

/** Parameters of our file that something else overrules, `ALTER SYSTEM` above all. */
export async function overruledParameters(target: Target, configurationFile: string): Promise<string[]> {
  const rows = await queryAsSuperuser<{ name: string }>(
    target,
    `SELECT DISTINCT ours.name
       FROM pg_file_settings ours JOIN pg_file_settings later USING (name)
      WHERE ours.sourcefile = '${configurationFile}' AND later.sourcefile <> ours.sourcefile
      ORDER BY 1`,
  );
  return rows.map((row) => row.name);
}
