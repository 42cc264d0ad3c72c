import type { AgentStatus } from "../../../agent/status.ts";
import { SLOT } from "../../../agent/stream/slot.ts";
import { agentContainer, callAgent } from "../../../operations/agent.ts";
import { executeInContainer } from "../../../operations/execute.ts";
import { queryAsSuperuser } from "../../../operations/superuser.ts";
import type { Kind, LiveStack } from "./live-stack.ts";

/** A parameter as the server has it. */
export interface Parameter {
  readonly setting: string;
  /** Where its value comes from, as pg_settings says. */
  readonly source: string;
  readonly file: string | null;
}

/** A line of pg_hba.conf as the server reads it. */
export interface HbaRule {
  readonly type: string;
  readonly databases: readonly string[];
  readonly users: readonly string[];
  readonly method: string;
}

/** A role that may sign in. */
export interface LoginRole {
  readonly name: string;
  readonly superuser: boolean;
  readonly bypassRls: boolean;
  readonly replication: boolean;
  readonly hasPassword: boolean;
  readonly limit: number;
  readonly memberOf: readonly string[];
}

/** What the points about PostgreSQL are judged by. */
export interface PostgresqlFacts {
  readonly parameters: ReadonlyMap<string, Parameter>;
  readonly hba: readonly HbaRule[];
  readonly roles: readonly LoginRole[];
  readonly extensions: readonly string[];
  /** Findings in the database, each as `what: name`: routines and tables that give more than they should. */
  readonly excess: readonly string[];
  /** Answers of the shell in the container, by the name of the question. */
  readonly shell: Readonly<Record<keyof typeof QUESTIONS, string>>;
  readonly log: string;
  readonly passwords: readonly string[];
  /** Sessions that take the write-ahead log from the server. */
  readonly standbys: number;
  /** What the agent says; a first backup has been made. */
  readonly agent: AgentStatus;
  /** What pgBackRest beside the server says of itself. */
  readonly pgbackrest: string;
}

const EXTENSION_FILES = '"$SHAREDIR/extension"';
const QUESTIONS = {
  "umask of the server": "awk '/^Umask/ {print $2}' /proc/1/status",
  "data directory": 'stat -c "%a %U" "$PGDATA"',
  "files for others": 'find "$PGDATA" -perm /077',
  "log files": 'stat -c "%a %U" "$PGDATA"/log/*',
  "extension files that are not root's or that others write": `find ${EXTENSION_FILES} ! -user root -o -type f -perm /022`,
  "files with passwords":
    "find / -xdev -name .pgpass -o -xdev -name pg_service.conf -o -xdev -name .pg_service.conf -o -xdev -name .psql_history 2>/dev/null",
  "writing history": "(echo x >>~/.psql_history) 2>&1",
  "PGPASSWORD in environments":
    "cat /proc/[0-9]*/environ 2>/dev/null | tr '\\0' '\\n' | grep -c '^PGPASSWORD=' || true",
  "PGPASSWORD in profiles":
    "grep -ls PGPASSWORD /etc/profile /etc/profile.d/* /etc/environment ~/.profile ~/.bashrc 2>/dev/null",
  sudo: "command -v sudo doas",
} as const;

/** Tables that readonly may change, roles and routines beyond what is declared. */
const EXCESS = `
SELECT 'readonly writes: ' || c.oid::regclass AS finding
  FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
 WHERE c.relkind IN ('r', 'p', 'v', 'm') AND n.nspname !~ '^pg_|^information_schema$'
   AND has_table_privilege('readonly', c.oid, 'INSERT, UPDATE, DELETE, TRUNCATE')
UNION ALL
SELECT 'PUBLIC has rights on: ' || c.oid::regclass
  FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace CROSS JOIN aclexplode(c.relacl) AS x
 WHERE x.grantee = 0 AND n.nspname !~ '^pg_|^information_schema$'
   AND NOT EXISTS (SELECT FROM pg_depend d WHERE d.objid = c.oid AND d.deptype = 'e')
UNION ALL
SELECT 'runs with its owner''s rights: ' || p.oid::regprocedure
  FROM pg_proc p JOIN pg_namespace n ON n.oid = p.pronamespace
 WHERE p.prosecdef AND n.nspname !~ '^pg_|^information_schema$'
UNION ALL
SELECT 'PUBLIC may create in: ' || nspname
  FROM pg_namespace WHERE has_schema_privilege('public', oid, 'CREATE')
UNION ALL
SELECT 'not in C or internal by a role of ours: ' || p.oid::regprocedure
  FROM pg_proc p JOIN pg_language l ON l.oid = p.prolang
 WHERE NOT l.lanpltrusted AND p.proowner <> 10`;

/** Looks at everything. */
export async function postgresqlFacts(stack: LiveStack): Promise<PostgresqlFacts> {
  const query = <Row>(sql: string): Promise<Row[]> =>
    queryAsSuperuser<Row>(stack.target, sql, { database: stack.target.database });
  // Not as the superuser, whose sessions here have settings of their own.
  const session = await stack.session("administrator");
  const { rows: parameters } = await session.query<Parameter & { name: string }>(
    "SELECT name, setting, source, sourcefile AS file FROM pg_settings",
  );
  await session.end();
  const sharedDirectory = await stack.value("SELECT setting FROM pg_config WHERE name = 'SHAREDIR'");
  const shell: Record<string, string> = {};
  for (const [name, script] of Object.entries(QUESTIONS)) {
    shell[name] = (await stack.inside(`SHAREDIR='${sharedDirectory}'; ${script} || true`)).trim();
  }
  return {
    parameters: new Map(parameters.map(({ name, ...parameter }) => [name, parameter])),
    hba: await query(
      "SELECT type, database AS databases, user_name AS users, auth_method AS method FROM pg_hba_file_rules ORDER BY line_number",
    ),
    roles: await query(
      `SELECT rolname AS name, rolsuper AS superuser, rolbypassrls AS "bypassRls", rolreplication AS replication, rolpassword IS NOT NULL AS "hasPassword",
              rolconnlimit AS limit,
              (SELECT coalesce(json_agg(g.rolname ORDER BY g.rolname), '[]') FROM pg_auth_members m
                 JOIN pg_roles g ON g.oid = m.roleid WHERE m.member = r.oid) AS "memberOf"
         FROM pg_authid r WHERE rolcanlogin ORDER BY 1`,
    ),
    extensions: (await query<{ name: string }>("SELECT extname AS name FROM pg_extension")).map(
      ({ name }) => name,
    ),
    excess: (await query<{ finding: string }>(EXCESS)).map(({ finding }) => finding),
    shell: shell as PostgresqlFacts["shell"],
    standbys: Number(
      await stack.value(
        `SELECT count(*) FROM pg_stat_replication r LEFT JOIN pg_replication_slots s ON s.active_pid = r.pid
          WHERE s.slot_name IS DISTINCT FROM '${SLOT}'`,
      ),
    ),
    agent: await callAgent<AgentStatus>(stack.target, "status"),
    pgbackrest: await inAgent(stack, ["pgbackrest", "version"]),
    log: await stack.serverLog(),
    passwords: (["administrator", "application", "readonly"] as Kind[]).map(
      (kind) => stack.credential(kind).password,
    ),
  };
}

async function inAgent(stack: LiveStack, command: readonly string[]): Promise<string> {
  const target = { ...stack.target, container: agentContainer(stack.target.container) };
  return (await executeInContainer(target, { command })).stdout;
}
