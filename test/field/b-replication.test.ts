import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { applyDatabase } from "../../operations/database.ts";
import { executeInContainer } from "../../operations/execute.ts";
import { applyRole, planRole, type RoleSpecification } from "../../operations/roles.ts";
import { scramVerifier } from "../../operations/scram.ts";
import { literal } from "../../operations/sql.ts";
import { queryAsSuperuser, runAsSuperuser } from "../../operations/superuser.ts";
import { type ConfiguredServer, sharedConfiguredServer } from "../support/configured-server.ts";
import { CREDENTIALS, SPECIFICATION } from "../support/database-server.ts";
import { inTurn } from "../support/security/in-turn.ts";
import { PsqlClient } from "../support/security/psql-client.ts";

type Kind = keyof typeof CREDENTIALS;
const KINDS = ["administrator", "application", "readonly"] as const;
const STREAMS = [
  "IDENTIFY_SYSTEM",
  "BASE_BACKUP (LABEL 'stolen')",
  "START_REPLICATION 0/1000000",
  "CREATE_REPLICATION_SLOT stolen TEMPORARY PHYSICAL",
  "SHOW data_directory",
];

const MARK = "----";

let server: ConfiguredServer & { remove(): Promise<void> };
let network: PsqlClient;

beforeAll(async () => {
  server = await sharedConfiguredServer();
  for (const kind of KINDS) await applyRole(server.target, roleOf(kind));
  await applyDatabase(server.target, {
    ...SPECIFICATION,
    extensions: [...SPECIFICATION.extensions, "dblink", "postgres_fdw"],
  });
  network = await PsqlClient.start(server.serverName);
  await network.write("/tmp/ca.crt", server.certificates.authority.certificate);
});

afterAll(async () => {
  await inTurn(
    () => network?.remove(),
    () => server?.remove(),
  );
});

function roleOf(kind: Kind): RoleSpecification {
  return { kind, name: CREDENTIALS[kind].role, password: CREDENTIALS[kind].password };
}

/**
 * What a program on the stack's network is told, a text a statement, when it opens such a connection and says such things
 * one after the other; one text where there is no connection.
 */
async function answers(
  { role, password }: { readonly role: string; readonly password: string },
  statements: readonly string[],
  connection = "dbname=app",
): Promise<string[]> {
  const marked = statements.map(
    (sql) => `${sql};\n\\if :ERROR\n\\else\n\\warn carried out\n\\endif\n\\warn ${MARK}\n`,
  );
  const { stderr } = await network.run(
    ["psql", "--no-psqlrc", "--no-align", "--tuples-only", "--set=VERBOSITY=verbose", connection, "--file=-"],
    {
      ...{ PGHOST: server.serverName, PGSSLMODE: "verify-full", PGSSLROOTCERT: "/tmp/ca.crt" },
      ...{ PGUSER: role, PGPASSWORD: password, PGCONNECT_TIMEOUT: "10", LC_ALL: "C" },
    },
    marked.join(""),
  );
  return stderr.split(`${MARK}\n`);
}

async function said(...parameters: Parameters<typeof answers>): Promise<string> {
  return (await answers(...parameters)).join("");
}

describe("the replication protocol over the network", () => {
  test.each(KINDS)("is refused to %s by each way of asking for it, in each database [S10]", async (kind) => {
    const ways: [string, RegExp][] = [
      ["replication=true", /pg_hba\.conf rejects replication connection/],
      ["replication=on dbname=app", /pg_hba\.conf rejects replication connection/],
      ["replication=database dbname=app", /permission denied to start WAL sender/],
      // Two of the roles get into no other database at all.
      ["replication=database dbname=postgres", /permission denied to start WAL sender|pg_hba\.conf rejects/],
      ["replication=database dbname=template1", /permission denied to start WAL sender|pg_hba\.conf rejects/],
    ];
    for (const [connection, refusal] of ways) {
      const answer = await said(CREDENTIALS[kind], STREAMS, connection);
      expect(answer, connection).toMatch(refusal);
      expect(answer, connection).not.toContain("carried out");
    }
  });

  test("is refused to a role with the attribute that somebody has made by hand [S10]", async () => {
    const intruder = { role: "intruder", password: "secret of the intruder" };
    await runAsSuperuser(
      server.target,
      `CREATE ROLE intruder SUPERUSER REPLICATION LOGIN PASSWORD ${literal(scramVerifier(intruder.password))}`,
    );
    for (const connection of ["replication=true", "replication=database dbname=app"])
      expect(await said(intruder, ["IDENTIFY_SYSTEM"], connection)).toMatch(/pg_hba\.conf rejects/);
    await runAsSuperuser(server.target, "DROP ROLE intruder");
  });

  test("works for the superuser by the socket, as upgrades by logical replication need it", async () => {
    const { stdout, stderr } = await executeInContainer(server.target, {
      command: [
        "psql",
        "--no-psqlrc",
        "-At",
        "-h",
        "/var/run/postgresql",
        "replication=database dbname=app user=postgres",
      ],
      user: "postgres",
      input: "IDENTIFY_SYSTEM;\n",
    });
    expect(`${stdout}${stderr}`).toMatch(/^\d+\|1\|[0-9A-F]+\/[0-9A-F]+\|app$/m);
  });
});

test("a stack that is up loses the attribute, and sessions that stream with it end, at the next up [S10]", async () => {
  const administrator = roleOf("administrator");
  await runAsSuperuser(server.target, `ALTER ROLE ${administrator.name} REPLICATION`);
  const session = network.run(
    [
      "sh",
      "-c",
      "(echo 'IDENTIFY_SYSTEM;'; exec tail -f /dev/null) | psql --no-psqlrc 'replication=database dbname=app'",
    ],
    {
      ...{ PGHOST: server.serverName, PGSSLMODE: "verify-full", PGSSLROOTCERT: "/tmp/ca.crt" },
      ...{ PGUSER: administrator.name, PGPASSWORD: administrator.password },
    },
  );
  // It stays until its container goes.
  session.catch(() => {});
  const streams = () =>
    queryAsSuperuser(
      server.target,
      "SELECT usename AS role FROM pg_stat_activity WHERE backend_type = 'walsender'",
    );
  await expect.poll(streams, { timeout: 20_000 }).toEqual([{ role: administrator.name }]);
  const plan = async () =>
    (await planRole(server.target, administrator)).map(({ description }) => description);
  expect(await plan()).toEqual([`role "${administrator.name}": take away REPLICATION`]);
  await applyRole(server.target, administrator);
  expect(await plan()).toEqual([]);
  await expect.poll(streams, { timeout: 20_000 }).toEqual([]);
  expect(
    await said(CREDENTIALS.administrator, ["IDENTIFY_SYSTEM"], "replication=database dbname=app"),
  ).toMatch(/permission denied to start WAL sender/);
});

describe("the administrator, by whatever it names, makes or declares,", () => {
  // Not permitted, not to be set by it, or not in the image at all.
  const REFUSED = /ERROR: {2}(42501|55P02):|ERROR: {2}0A000: extension "\w+" is not available/;
  /** What no transaction holds. */
  const ALONE = /^(CREATE TABLESPACE|CREATE SUBSCRIPTION|ALTER SYSTEM)/;
  const LOCAL = "host=/var/run/postgresql user=postgres dbname=postgres";
  test.each<[string, readonly string[]]>([
    [
      "does not become superuser",
      [
        "ALTER ROLE app_admin SUPERUSER",
        "CREATE ROLE more SUPERUSER",
        "GRANT postgres TO app_admin",
        "CREATE ROLE more ROLE app_admin IN ROLE postgres",
        "SET ROLE postgres",
        "SET SESSION AUTHORIZATION postgres",
        "UPDATE pg_authid SET rolsuper = true",
        "INSERT INTO pg_auth_members VALUES (99999, 10, 16384, 10, true, true, true)",
        "UPDATE pg_proc SET proowner = 10",
        "SET allow_system_table_mods TO on",
        "CREATE FUNCTION public.theirs() RETURNS int SECURITY DEFINER LANGUAGE sql AS 'SELECT 1'; ALTER FUNCTION public.theirs() OWNER TO postgres",
        "CREATE TABLE public.theirs (); ALTER TABLE public.theirs OWNER TO postgres",
        "REASSIGN OWNED BY app_admin TO postgres",
        "ALTER ROLE postgres PASSWORD 'x'",
        "CREATE ROLE step CREATEROLE; GRANT step TO app_admin; SET ROLE step; GRANT postgres TO step",
      ],
    ],
    [
      "gets no predefined role beyond its five",
      [
        ...["pg_read_server_files", "pg_write_server_files", "pg_execute_server_program"],
        ...["pg_create_subscription", "pg_use_reserved_connections"],
      ].map((role) => `GRANT ${role} TO app_admin`),
    ],
    [
      "hands none of its five on, and becomes none of them",
      ["pg_checkpoint", "pg_monitor", "pg_read_all_data", "pg_signal_backend", "pg_write_all_data"].flatMap(
        (role) => [`CREATE ROLE heir; GRANT ${role} TO heir`, `SET ROLE ${role}`],
      ),
    ],
    [
      "does not run programs",
      [
        "COPY (SELECT 1) TO PROGRAM 'id'",
        "CREATE TABLE public.said (t text); COPY public.said FROM PROGRAM 'id'",
        "CREATE FUNCTION public.system(cstring) RETURNS int LANGUAGE c AS 'libc.so.6', 'system'",
        "CREATE FUNCTION public.internal(cstring) RETURNS int LANGUAGE internal AS 'pg_read_file'",
        "CREATE EXTENSION plpython3u",
        "CREATE EXTENSION plperlu",
        "CREATE LANGUAGE evil HANDLER plpgsql_call_handler",
        "LOAD 'auto_explain'",
        "SET session_preload_libraries TO 'auto_explain'",
        "ALTER ROLE app_admin SET session_preload_libraries TO 'auto_explain'",
        "ALTER DATABASE app SET session_preload_libraries TO 'auto_explain'",
        "ALTER SYSTEM SET archive_command TO 'id'",
        "SELECT pg_reload_conf()",
        "CREATE EVENT TRIGGER e ON ddl_command_end EXECUTE FUNCTION pg_catalog.suppress_redundant_updates_trigger()",
        "CREATE ACCESS METHOD m TYPE INDEX HANDLER bthandler",
        "CREATE TYPE public.base",
      ],
    ],
    [
      "reads and writes no file of the server",
      [
        "SELECT pg_read_file('/etc/passwd')",
        "SELECT pg_read_binary_file('global/pg_control')",
        "SELECT pg_ls_dir('.')",
        "SELECT pg_stat_file('PG_VERSION')",
        "SELECT lo_import('/etc/passwd')",
        "SELECT lo_export(0, '/tmp/x')",
        "COPY (SELECT 1) TO '/tmp/x'",
        "CREATE TABLE public.read (t text); COPY public.read FROM '/etc/passwd'",
        "SELECT * FROM pg_hba_file_rules",
        "SELECT * FROM pg_file_settings",
        "CREATE TABLESPACE t LOCATION '/tmp'",
        "CREATE EXTENSION file_fdw",
        "CREATE EXTENSION adminpack",
        "CREATE EXTENSION pageinspect",
      ],
    ],
    [
      "makes no slot, subscription or other source of the log",
      [
        "ALTER ROLE app_admin REPLICATION",
        "CREATE ROLE more REPLICATION LOGIN",
        "SELECT pg_create_physical_replication_slot('s')",
        "SELECT pg_create_logical_replication_slot('s', 'pgoutput')",
        "SELECT pg_drop_replication_slot('s')",
        "SELECT pg_replication_origin_create('o')",
        "SELECT pg_backup_start('b')",
        "SELECT pg_switch_wal()",
        `CREATE SUBSCRIPTION s CONNECTION '${LOCAL}' PUBLICATION p WITH (connect = false)`,
        `CREATE SUBSCRIPTION s CONNECTION '${LOCAL} password=x' PUBLICATION p`,
      ],
    ],
    [
      "does not come back in by the server's own socket, also where the stack declares dblink and postgres_fdw",
      [
        "SELECT public.dblink_connect_u('dbname=postgres')",
        "CREATE SERVER here FOREIGN DATA WRAPPER postgres_fdw OPTIONS (host '/var/run/postgresql')",
        "CREATE FOREIGN DATA WRAPPER w HANDLER public.postgres_fdw_handler",
      ],
    ],
  ])("%s [S10]", async (_, statements) => {
    const found = await answers(
      CREDENTIALS.administrator,
      statements.map((sql) => (ALONE.test(sql) ? sql : `BEGIN; ${sql}; ROLLBACK`)),
    );
    for (const [index, sql] of statements.entries()) expect(found[index], sql).toMatch(REFUSED);
  });

  test.each([LOCAL, `${LOCAL} password=x`, `${LOCAL} password=x require_auth=none`])(
    "is refused by dblink with `%s` [S10]",
    async (connection) => {
      for (const kind of KINDS) {
        const answer = await said(CREDENTIALS[kind], [`SELECT public.dblink_connect('${connection}')`]);
        expect(answer, kind).toMatch(/ERROR: {2}(2F003|42501):/);
      }
    },
  );
});
