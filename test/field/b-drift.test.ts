import { afterAll, beforeAll, describe, expect, onTestFinished, test } from "vitest";
import { applyContainerNetworks, planContainerNetworks } from "../../operations/container-networks.ts";
import { applyDatabase } from "../../operations/database.ts";
import { dockerEngine, findContainer } from "../../operations/docker.ts";
import { executeInContainer } from "../../operations/execute.ts";
import { findForeign } from "../../operations/foreign.ts";
import { applyRole } from "../../operations/roles.ts";
import {
  applyServerConfiguration,
  configurationDrift,
  serverConfigurationFiles,
} from "../../operations/server-configuration.ts";
import { runAsSuperuser } from "../../operations/superuser.ts";
import { type ConfiguredServer, sharedConfiguredServer } from "../support/configured-server.ts";
import { CREDENTIALS, SPECIFICATION } from "../support/database-server.ts";
import { TEST_IMAGE } from "../support/image.ts";
import { uniqueName } from "../support/volumes.ts";

const docker = dockerEngine();
const ROLES = { administrator: "app_admin", application: "app_rw", readonly: "app_ro" };
let server: ConfiguredServer & { remove(): Promise<void> };

beforeAll(async () => {
  server = await sharedConfiguredServer({ wal_level: "logical" });
  for (const kind of ["administrator", "application", "readonly"] as const)
    await applyRole(server.target, {
      kind,
      name: CREDENTIALS[kind].role,
      password: CREDENTIALS[kind].password,
    });
  await applyDatabase(server.target, {
    ...SPECIFICATION,
    extensions: [...SPECIFICATION.extensions, "postgres_fdw"],
  });
});

afterAll(() => server?.remove());

/** What is foreign, a line each, `!` where it alarms. */
async function foreign(): Promise<string[]> {
  const { foreign: found, unseen } = await findForeign(server.target, {
    roles: ROLES,
    dataVolume: server.dataVolume,
  });
  expect(unseen).toBeUndefined();
  return found.map(({ kind, name, detail, alarming }) => `${alarming ? "!" : ""}${kind} ${name}: ${detail}`);
}

const inDatabase = (sql: string) => runAsSuperuser(server.target, sql, { database: "app" });

describe("drift reports what the stack has not made, and leaves it alone", () => {
  test("nothing in a server that only the stack has touched", async () => {
    expect(await foreign()).toEqual([]);
  });

  // Each is made, seen, and unmade: [what, made by, seen as, unmade by].
  test.each<[string, string, string[], string]>([
    [
      "a superuser",
      "CREATE ROLE intruder SUPERUSER LOGIN",
      ["!role intruder: LOGIN, SUPERUSER"],
      "DROP ROLE intruder",
    ],
    [
      "roles with attributes that give power, also without a sign-in",
      "CREATE ROLE copier REPLICATION LOGIN; CREATE ROLE passer BYPASSRLS",
      ["!role copier: LOGIN, REPLICATION", "!role passer: BYPASSRLS"],
      "DROP ROLE copier, passer",
    ],
    [
      "a role that signs in and no more",
      "CREATE ROLE reporting LOGIN",
      ["role reporting: LOGIN"],
      "DROP ROLE reporting",
    ],
    [
      "a power that is reached through another role",
      "CREATE ROLE step; CREATE ROLE walker; GRANT pg_execute_server_program TO step; GRANT step TO walker",
      [
        "!role step: member of pg_execute_server_program",
        "!role walker: member of pg_execute_server_program",
      ],
      "DROP ROLE walker, step",
    ],
    [
      "replication slots",
      `SELECT pg_create_physical_replication_slot('forgotten', true);
       SELECT pg_create_logical_replication_slot('decoded', 'pgoutput')`,
      [
        "!replication slot decoded: logical, in database app, not in use, holds 0 bytes of the write-ahead log",
        "!replication slot forgotten: physical, not in use, holds 0 bytes of the write-ahead log",
      ],
      "SELECT pg_drop_replication_slot(slot_name) FROM pg_replication_slots",
    ],
    [
      "settings of a database, and of a role in it, by their names alone",
      "ALTER DATABASE app SET search_path = evil; ALTER DATABASE app SET my.key = 'secret'; ALTER ROLE app_rw IN DATABASE app SET statement_timeout = 1",
      ["setting database app: my.key, search_path", "setting role app_rw in database app: statement_timeout"],
      "ALTER DATABASE app RESET ALL; ALTER ROLE app_rw IN DATABASE app RESET ALL",
    ],
    [
      "large objects, by their owner",
      `SELECT lo_create(oid) FROM generate_series(70001, 70003) AS oid;
       ALTER LARGE OBJECT 70002 OWNER TO app_rw; ALTER LARGE OBJECT 70003 OWNER TO app_rw`,
      ["!large objects app_rw: owns 2", "large objects postgres: owns 1"],
      "SELECT lo_unlink(oid) FROM pg_largeobject_metadata",
    ],
    [
      "foreign servers",
      `CREATE SERVER elsewhere FOREIGN DATA WRAPPER postgres_fdw OPTIONS (host 'evil');
       CREATE USER MAPPING FOR app_rw SERVER elsewhere OPTIONS (password 'secret')`,
      ["!foreign server elsewhere: by postgres_fdw, 1 user mappings"],
      "DROP SERVER elsewhere CASCADE",
    ],
    [
      "subscriptions",
      "CREATE SUBSCRIPTION pulled CONNECTION 'host=evil password=secret' PUBLICATION p WITH (connect = false)",
      ["!subscription pulled: in database app, disabled"],
      "ALTER SUBSCRIPTION pulled SET (slot_name = NONE); DROP SUBSCRIPTION pulled",
    ],
    [
      "publications",
      "CREATE PUBLICATION everything FOR ALL TABLES; CREATE PUBLICATION nothing; ALTER PUBLICATION nothing OWNER TO app_admin",
      ["publication everything: of postgres, all tables", "publication nothing: of app_admin, 0 tables"],
      "DROP PUBLICATION everything, nothing",
    ],
    [
      "databases beside the stack's own, also where they are called like those for tests",
      `CREATE DATABASE other OWNER app_admin;
CREATE DATABASE pgstack_test_mine ALLOW_CONNECTIONS false;`,
      ["database other: of app_admin, 0 bytes", "database pgstack_test_mine: of postgres, 0 bytes, closed"],
      "DROP DATABASE other;\nDROP DATABASE pgstack_test_mine;",
    ],
    [
      "event triggers",
      `CREATE FUNCTION public.watch() RETURNS event_trigger LANGUAGE plpgsql AS 'BEGIN END';
       ALTER FUNCTION public.watch() OWNER TO app_admin;
       CREATE EVENT TRIGGER watching ON ddl_command_end EXECUTE FUNCTION public.watch()`,
      ["!event trigger watching: on ddl_command_end, runs public.watch"],
      "DROP EVENT TRIGGER watching; DROP FUNCTION public.watch",
    ],
    [
      "other owners, with the first names and the number of the rest",
      `CREATE ROLE other; CREATE TABLE public.a (); ALTER TABLE public.a OWNER TO other;
       DO 'BEGIN FOR n IN 1..7 LOOP EXECUTE format(''CREATE VIEW billing.v%s AS SELECT 1'', n); END LOOP; END'`,
      [
        "owner other: owns 1 table: public.a",
        "owner postgres: owns 7 views: billing.v1, billing.v2, billing.v3, billing.v4, billing.v5 and 2 more",
      ],
      "DROP OWNED BY other; DROP ROLE other; DROP VIEW billing.v1, billing.v2, billing.v3, billing.v4, billing.v5, billing.v6, billing.v7",
    ],
  ])("%s", async (_, made, seen, unmade) => {
    try {
      await inDatabase(made);
      const found = await foreign();
      // What was logged since a slot was made is held back too.
      expect(
        found.map((line) =>
          line.replace(/holds [\d.]+ \w+ of/, "holds 0 bytes of").replace(/, \d+ kB/, ", 0 bytes"),
        ),
      ).toEqual(seen);
      expect(found.join()).not.toContain("secret");
    } finally {
      await inDatabase(unmade);
    }
    expect(await foreign()).toEqual([]);
  });

  test("another container on one of the stack's volumes, running or not", async () => {
    const name = uniqueName("second");
    const second = await docker.createContainer({
      name,
      Image: TEST_IMAGE,
      HostConfig: { NetworkMode: "none", Binds: [`${server.dataVolume}:/anywhere:ro`] },
    });
    onTestFinished(() => second.remove({ force: true, v: true }));
    expect(await foreign()).toEqual([
      `!container ${name}: created, has ${server.dataVolume} (read-only) mounted`,
    ]);
  });

  test("says why a server that is stopped could not be looked at", async () => {
    const away = { ...server.target, container: "pgstack-test-nowhere" };
    const report = await findForeign(away, { roles: ROLES, dataVolume: server.dataVolume });
    expect(report).toEqual({ foreign: [], unseen: "the server does not run" });
  });
});

describe("the stack's own files", () => {
  async function drift(): Promise<string[]> {
    return await configurationDrift(server.target, serverConfigurationFiles(server.configuration));
  }

  test.each([
    ["a setting", "work_mem = '9MB'", "work_mem was set by ALTER SYSTEM"],
    ["a file that it includes", "include 'evil.conf'", "archive_cleanup_command was set by ALTER SYSTEM"],
    ["a program for recoveries", "restore_command = 'sh evil.sh'", "restore_command was set by ALTER SYSTEM"],
  ])(
    "%s that somebody has written into postgresql.auto.conf is drift, and put right",
    async (_, line, told) => {
      const script = `cd "$PGDATA" && echo "archive_cleanup_command = 'sh evil.sh'" >evil.conf && cat >>postgresql.auto.conf`;
      const written = await executeInContainer(server.target, {
        command: ["sh", "-c", script],
        user: "postgres",
        input: `${line}\n`,
      });
      expect(written.stderr).toBe("");
      expect(await drift()).toEqual([told]);
      const applied = await applyServerConfiguration(server.target, {
        configurationVolume: server.configurationVolume,
        image: TEST_IMAGE,
        files: serverConfigurationFiles(server.configuration),
      });
      expect(applied.reset).toEqual([told.split(" ")[0]]);
      expect(await drift()).toEqual([]);
    },
  );

  test("a line there that the server cannot read is told", async () => {
    const shell = (script: string) =>
      executeInContainer(server.target, {
        command: ["sh", "-c", `cd "$PGDATA" && ${script}`],
        user: "postgres",
      });
    await shell("cp postgresql.auto.conf kept && echo 'not a line =' >>postgresql.auto.conf");
    expect((await drift()).join()).toMatch(/postgresql\.auto\.conf line \d+: syntax error/);
    await shell("mv kept postgresql.auto.conf");
    expect(await drift()).toEqual([]);
  });

  test("what a restore leaves there for the next recovery is its own", async () => {
    const archive = "pgbackrest --config=/etc/pgstack/pgbackrest.conf --stanza=main";
    await runAsSuperuser(
      server.target,
      `ALTER SYSTEM SET restore_command = '${archive} archive-get %f "%p"';
ALTER SYSTEM SET recovery_target_action = 'promote';`,
    );
    expect(await drift()).toEqual([]);
    await runAsSuperuser(server.target, "ALTER SYSTEM RESET ALL");
  });
});

describe("the server's container", () => {
  test("comes back into its own network under its names, and out of every other [S6]", async () => {
    const elsewhere = uniqueName("elsewhere");
    await docker.createNetwork({ Name: elsewhere });
    onTestFinished(() => docker.getNetwork(elsewhere).remove());
    const { container } = server.target;
    const wanted = { container, networks: [server.serverName], aliases: ["postgres"] };
    expect(await planContainerNetworks(wanted)).toEqual([]);
    await docker.getNetwork(elsewhere).connect({ Container: container });
    await docker.getNetwork(server.serverName).disconnect({ Container: container, Force: true });
    const changes = await planContainerNetworks(wanted);
    expect(changes.map(({ description }) => description)).toEqual([
      `container ${container} is not in its network ${server.serverName}`,
      `container ${container} is in network ${elsewhere}, which is not its own`,
    ]);
    await applyContainerNetworks(wanted, changes);
    expect(await planContainerNetworks(wanted)).toEqual([]);
    const networks = (await findContainer(docker, container))?.NetworkSettings.Networks ?? {};
    expect(Object.keys(networks)).toEqual([server.serverName]);
    expect(networks[server.serverName]?.Aliases).toContain("postgres");
  });

  test("that is away is in no network that is missed", async () => {
    const wanted = { container: "pgstack-test-nowhere", networks: ["n"], aliases: [] };
    expect(await planContainerNetworks(wanted)).toEqual([]);
  });
});
