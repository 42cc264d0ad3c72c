import { createHash } from "node:crypto";
import { posix } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { executeInContainer } from "../execute.ts";
import { CONFIGURATION_DIRECTORY, CONFIGURATION_FILES } from "../postgresql-conf.ts";
import { RECOVERY_PARAMETERS } from "../recovery-parameters.ts";
import { identifier, literal } from "../sql.ts";
import { queryAsSuperuser, runAsSuperuser } from "../superuser.ts";
import type { Target } from "../target.ts";
import type { VolumeFile } from "../volume-files.ts";

const RELOAD_TIMEOUT_MILLISECONDS = 15_000;
const POLL_MILLISECONDS = 25;
/**
 * What the server says of a parameter that only a restart changes; the values themselves were tried before by
 * {@link tryParameters}.
 */
const NEEDS_RESTART = "setting could not be applied";

/**
 * What another file than the stack's own sets: postgresql.auto.conf, by `ALTER SYSTEM` or by hand, and what it includes. What a
 * recovery leaves there is the stack's own, as far as it is written by pgBackRest.
 */
const FOREIGN = `SELECT DISTINCT name FROM pg_file_settings
  WHERE name IS NOT NULL AND sourcefile <> ${literal(posix.join(CONFIGURATION_DIRECTORY, CONFIGURATION_FILES.postgresqlConf))}
    AND NOT (sourcefile LIKE '%/postgresql.auto.conf' AND name = ANY (ARRAY[${RECOVERY_PARAMETERS.map(literal).join(", ")}])
             AND (name <> 'restore_command' OR setting ~ '^pgbackrest [^;&|<>$\`]*archive-get %f "%p"$'))
  ORDER BY 1`;

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

/** Names of the parameters that somebody has set by `ALTER SYSTEM` or in its file, which overrules the stack's own file. */
export async function foreignParameters(target: Target): Promise<string[]> {
  return (await queryAsSuperuser<{ name: string }>(target, FOREIGN)).map(({ name }) => name);
}

/** Takes such parameters back; the next reload brings that into force. */
export async function resetParameters(target: Target, names: readonly string[]): Promise<void> {
  const statements = names.map((name) => `ALTER SYSTEM RESET ${name.split(".").map(identifier).join(".")};`);
  await runAsSuperuser(target, statements.join("\n"));
}

/** How the files that a running server sees, and its own, differ from what is wanted, a line each. */
export async function configurationDrift(target: Target, files: readonly VolumeFile[]): Promise<string[]> {
  const wanted = files.map(({ path, content }) => {
    const sum = createHash("sha256").update(content).digest("hex");
    return `(${literal(path)}, ${literal(posix.join(CONFIGURATION_DIRECTORY, path))}, ${literal(sum)})`;
  });
  const rows = await queryAsSuperuser<{ line: string }>(
    target,
    `SELECT format('%s was changed', path) AS line FROM (VALUES ${wanted.join(", ")}) AS w(path, place, sum)
      WHERE encode(sha256(pg_read_binary_file(place, true)), 'hex') IS DISTINCT FROM sum
     UNION ALL SELECT format('%s was set by ALTER SYSTEM', name) FROM (${FOREIGN}) AS f`,
  );
  return [...rows.map(({ line }) => line), ...(await configurationErrors(target))];
}
