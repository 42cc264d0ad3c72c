import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { connect } from "../../operations/connection.ts";
import { dockerEngine } from "../../operations/docker.ts";
import { demultiplexer } from "../../operations/execute/demultiplex.ts";
import { executeInContainer } from "../../operations/execute.ts";
import { applyRole, dropRole, planRole, type RoleSpecification } from "../../operations/roles.ts";
import { scramVerifier } from "../../operations/scram.ts";
import { identifier, literal } from "../../operations/sql.ts";
import { queryAsSuperuser, runAsSuperuser } from "../../operations/superuser.ts";
import { UserError } from "../../operations/user-error.ts";
import { startServer, type TestServer } from "../support/server.ts";
import { withSession } from "../support/sessions.ts";

const DATABASE = "postgres";
const ODD_NAMES = [
  `quote"d`,
  `apo'strophe`,
  "semi;DROP DATABASE app;--",
  "line\nbreak\ttab",
  "$(touch /tmp/owned)`id`",
  "back\\slash\\'\\\"",
  "ünïcödé роль 角色 😀",
  ":'variable' :\"other\" \\gset \\! id",
  "a=b host=evil",
  " space ",
  "-c log_statement=all",
];

let server: TestServer;
beforeAll(async () => {
  server = await startServer();
});
afterAll(async () => {
  await server?.remove();
});

let number = 0;
function specification(
  kind: RoleSpecification["kind"],
  more: Partial<RoleSpecification> = {},
): RoleSpecification {
  number += 1;
  return { name: `${kind}_${number}`, kind, password: `secret-of-${kind}-${number}`, ...more };
}

const describePlan = async (role: RoleSpecification) =>
  (await planRole(server.target, role)).map((change) => change.description);
const bySuperuser = (sql: string) => runAsSuperuser(server.target, sql);
const signIn = (role: RoleSpecification, password = role.password) =>
  withSession(
    server,
    { role: role.name, password },
    async (client) => (await client.query("SELECT current_user AS name")).rows,
    DATABASE,
  );

describe("S1 the three kinds of role", () => {
  test("S1 have exactly their attributes and memberships, and a plan is empty after", async () => {
    const kinds = ["administrator", "application", "readonly"] as const;
    const roles = kinds.map((kind) => specification(kind, { connectionLimit: 7 }));
    // At once, as `pulumi up` does it.
    const applied = await Promise.all(roles.map((role) => applyRole(server.target, role)));
    expect(applied.map((changes) => changes.length > 0)).toEqual([true, true, true]);
    expect(await Promise.all(roles.map((role) => planRole(server.target, role)))).toEqual([[], [], []]);
    const rows = await queryAsSuperuser<Record<string, unknown>>(
      server.target,
      `SELECT rolsuper, rolinherit, rolcreaterole, rolcreatedb, rolcanlogin, rolreplication, rolbypassrls,
              rolconnlimit, rolpassword LIKE 'SCRAM-SHA-256$4096:%' AS scram, rolconfig,
              ARRAY(SELECT roleid::regrole::text FROM pg_auth_members m WHERE m.member = r.oid ORDER BY 1) AS memberships
         FROM pg_roles p JOIN pg_authid r USING (oid, rolname, rolsuper, rolinherit, rolcreaterole, rolcreatedb,
              rolcanlogin, rolreplication, rolbypassrls, rolconnlimit)
        WHERE rolname IN (${roles.map(({ name }) => literal(name)).join(", ")})
        ORDER BY rolname`.replace("rolpassword LIKE", "r.rolpassword LIKE"),
    );
    const login = {
      rolsuper: false,
      rolinherit: true,
      rolcreaterole: false,
      rolcreatedb: false,
      rolcanlogin: true,
      rolreplication: false,
      rolbypassrls: false,
      rolconnlimit: 7,
      scram: true,
      rolconfig: null,
      memberships: [],
    };
    expect(rows).toEqual([
      {
        ...login,
        rolcreaterole: true,
        rolcreatedb: true,
        rolbypassrls: true,
        memberships: [
          "pg_checkpoint",
          "pg_monitor",
          "pg_read_all_data",
          "pg_signal_backend",
          "pg_write_all_data",
        ],
      },
      login,
      { ...login, rolconfig: ["default_transaction_read_only=on", "temp_file_limit=4GB"] },
    ]);
  });

  test.each<[string, RoleSpecification["kind"], (role: string) => string, RegExp]>([
    ["SUPERUSER", "application", (role) => `ALTER ROLE ${role} SUPERUSER`, /take away SUPERUSER/],
    [
      "CREATEROLE and CREATEDB",
      "application",
      (role) => `ALTER ROLE ${role} CREATEROLE CREATEDB`,
      /CREATEROLE.*CREATEDB/,
    ],
    ["BYPASSRLS", "readonly", (role) => `ALTER ROLE ${role} BYPASSRLS`, /take away BYPASSRLS/],
    ["REPLICATION", "readonly", (role) => `ALTER ROLE ${role} REPLICATION`, /take away REPLICATION/],
    ["NOLOGIN", "application", (role) => `ALTER ROLE ${role} NOLOGIN`, /give LOGIN/],
    [
      "NOCREATEDB",
      "administrator",
      (role) => `ALTER ROLE ${role} NOCREATEDB NOINHERIT`,
      /give INHERIT.*give CREATEDB/,
    ],
    [
      "a connection limit",
      "application",
      (role) => `ALTER ROLE ${role} CONNECTION LIMIT 3`,
      /connection limit 3 to -1/,
    ],
    ["an end", "application", (role) => `ALTER ROLE ${role} VALID UNTIL '2020-01-01'`, /end of validity/],
    [
      "a membership",
      "application",
      (role) => `GRANT pg_read_server_files TO ${role}`,
      /membership in "pg_read_server_files"/,
    ],
    [
      "a membership of the administrator",
      "administrator",
      (role) => `GRANT pg_execute_server_program TO ${role}`,
      /membership in "pg_execute_server_program"/,
    ],
    [
      "a membership to hand on",
      "administrator",
      (role) => `GRANT pg_monitor TO ${role} WITH ADMIN TRUE, SET TRUE`,
      /take away membership in "pg_monitor".*member of "pg_monitor"/,
    ],
    ["no membership", "administrator", (role) => `REVOKE pg_monitor FROM ${role}`, /member of "pg_monitor"/],
    [
      "a member",
      "administrator",
      (role) => `CREATE ROLE friend_of_admin; GRANT ${role} TO friend_of_admin`,
      /from its member "friend_of_admin"/,
    ],
    [
      "a member by way of another",
      "application",
      (role) => `CREATE ROLE first_friend; CREATE ROLE second_friend;
        GRANT ${role} TO first_friend WITH ADMIN OPTION;
        SET ROLE first_friend; GRANT ${role} TO second_friend GRANTED BY first_friend; RESET ROLE`,
      /"first_friend".*"second_friend"/,
    ],
    [
      "no read-only setting",
      "readonly",
      (role) => `ALTER ROLE ${role} RESET ALL`,
      /default_transaction_read_only to on/,
    ],
    [
      "a setting against it in one database",
      "readonly",
      (role) => `ALTER ROLE ${role} IN DATABASE postgres SET default_transaction_read_only TO off`,
      /reset default_transaction_read_only in database "postgres"/,
    ],
    [
      "other settings",
      "application",
      (role) =>
        `ALTER ROLE ${role} SET session_replication_role TO replica; ALTER ROLE ${role} SET "my.own" TO 'x=y'`,
      /reset session_replication_role.*reset my.own/,
    ],
    [
      "an MD5 password",
      "application",
      (role) => `SET password_encryption TO md5; ALTER ROLE ${role} PASSWORD 'x'`,
      /password/,
    ],
    ["no password", "application", (role) => `ALTER ROLE ${role} PASSWORD NULL`, /password/],
  ])("S1 %s given by hand is found and put right", async (_, kind, drift, found) => {
    const role = specification(kind);
    await applyRole(server.target, role);
    await bySuperuser(drift(identifier(role.name)));
    expect((await describePlan(role)).join("; ")).toMatch(found);
    await applyRole(server.target, role);
    expect(await describePlan(role)).toEqual([]);
    expect(await signIn(role)).toEqual([{ name: role.name }]);
  });

  test("S1 roles that the administrator makes are its own affair, superusers among them are not", async () => {
    const administrator = specification("administrator");
    await applyRole(server.target, administrator);
    const credential = { role: administrator.name, password: administrator.password };
    await withSession(
      server,
      credential,
      async (client) => {
        await client.query("CREATE ROLE made_by_admin");
        await client.query(`GRANT made_by_admin TO ${administrator.name}`);
      },
      DATABASE,
    );
    expect(await describePlan(administrator)).toEqual([]);
    await bySuperuser("ALTER ROLE made_by_admin SUPERUSER");
    expect((await describePlan(administrator)).join("; ")).toMatch(/membership in "made_by_admin"/);
    await applyRole(server.target, administrator);
    expect(await describePlan(administrator)).toEqual([]);
  });

  test("G5 a role is dropped with its sessions and grants; what it owned goes to the database's owner", async () => {
    const [owner, leaver] = [specification("administrator"), specification("application")];
    for (const role of [owner, leaver]) await applyRole(server.target, role);
    const name = identifier(leaver.name);
    await bySuperuser(`CREATE DATABASE app OWNER ${identifier(owner.name)}`);
    await runAsSuperuser(
      server.target,
      `CREATE TABLE public.legacy (); ALTER TABLE public.legacy OWNER TO ${name}`,
      {
        database: "app",
      },
    );
    const credential = { role: leaver.name, password: leaver.password };
    const client = await connect(server.target, credential, server.trust);
    const ended = new Promise((resolve) => client.on("error", resolve));
    await dropRole(server.target, leaver.name);
    await ended;
    const tables = await queryAsSuperuser(
      server.target,
      "SELECT relowner::regrole::text AS owner FROM pg_class WHERE relname = 'legacy'",
      { database: "app" },
    );
    expect(tables).toEqual([{ owner: owner.name }]);
    expect((await describePlan(leaver))[0]).toMatch(/create it/);
    // A second time, and for one that never was: nothing.
    await dropRole(server.target, leaver.name);
  });
});

describe("S3 rotation", () => {
  test("S3 the new password counts at once, the old one is refused, sessions stay, the server is not restarted", async () => {
    const role = specification("application");
    await applyRole(server.target, role);
    const started = () =>
      queryAsSuperuser(
        server.target,
        "SELECT pg_postmaster_start_time()::text AS at, pg_conf_load_time()::text AS loaded",
      );
    const before = await started();
    await withSession(
      server,
      { role: role.name, password: role.password },
      async (client) => {
        const rotated = { ...role, password: "the next one" };
        expect(await applyRole(server.target, rotated)).toMatchObject([
          { description: expect.stringMatching(/password/) },
        ]);
        expect((await client.query("SELECT current_user AS name")).rows).toEqual([{ name: role.name }]);
        expect(await signIn(rotated)).toEqual([{ name: role.name }]);
        await expect(signIn(role)).rejects.toMatchObject({ code: "28P01" });
        expect(await describePlan(rotated)).toEqual([]);
      },
      DATABASE,
    );
    expect(await started()).toEqual(before);
  });

  test("F13 a password changed by hand is drift, and the next apply puts it right", async () => {
    const role = specification("readonly");
    await applyRole(server.target, role);
    await bySuperuser(`ALTER ROLE ${role.name} PASSWORD ${literal(scramVerifier("by hand"))}`);
    expect(await signIn(role, "by hand")).toEqual([{ name: role.name }]);
    expect(await describePlan(role)).toEqual([`role "${role.name}": set its password`]);
    await applyRole(server.target, role);
    expect(await signIn(role)).toEqual([{ name: role.name }]);
    await expect(signIn(role, "by hand")).rejects.toMatchObject({ code: "28P01" });
  });
});

describe("F15 odd values", () => {
  test("F15 names of any characters are names and nothing else", async () => {
    for (const name of ODD_NAMES) {
      const role = specification("administrator", { name });
      await applyRole(server.target, role);
      expect(await describePlan(role), name).toEqual([]);
      expect(await signIn(role)).toEqual([{ name }]);
      await dropRole(server.target, name);
    }
    const { stdout } = await executeInContainer(server.target, { command: ["ls", "/tmp"] });
    expect(stdout).not.toContain("owned");
    const left = await queryAsSuperuser(
      server.target,
      `SELECT rolname FROM pg_roles WHERE rolname IN (${ODD_NAMES.map((name) => literal(name)).join(", ")})`,
    );
    expect(left).toEqual([]);
  });

  test("F15 passwords of any characters sign in", async () => {
    const role = specification("application");
    for (const password of [...ODD_NAMES, "x".repeat(1024), "'", '"', "\\", "%s{}[]|&<>*?~#"]) {
      await applyRole(server.target, { ...role, password });
      expect(await signIn(role, password), password).toEqual([{ name: role.name }]);
    }
  });

  test.each([
    ["a NUL byte in the name", { name: "a\0b" }, /NUL/],
    ["a NUL byte in the password", { password: "a\0b" }, /NUL/],
    ["10 MB of name", { name: "x".repeat(10 * 1024 * 1024) }, /63 bytes/],
    ["10 MB of password", { password: "x".repeat(10 * 1024 * 1024) }, /1024/],
    ["no name", { name: "" }, /63 bytes/],
    ["a name that the server would cut", { name: "é".repeat(32) }, /63 bytes/],
    ["the superuser's name", { name: "postgres" }, /PostgreSQL's own/],
    ["a predefined role's name", { name: "pg_monitor" }, /PostgreSQL's own/],
    ["the name public", { name: "public" }, /PostgreSQL's own/],
    ["an empty password", { password: "" }, /empty/],
    ["a limit of half a session", { connectionLimit: 0.5 }, /connection limit/],
  ])("F15 %s is refused in one line, and nothing is sent", async (_, values, message) => {
    const role = specification("application", values);
    const refusal = await applyRole(server.target, role).catch((error: unknown) => error);
    expect(refusal).toBeInstanceOf(UserError);
    expect(String(refusal)).toMatch(message);
    expect(String(refusal)).not.toMatch(/\n|x{100}/);
  });
});

describe("S2 secrets", () => {
  test("S2 neither passwords nor verifiers are in logs, statistics or sessions, also when a statement fails", async () => {
    const role = specification("application", { password: "Needle-In-The-Haystack" });
    await applyRole(server.target, role);
    await applyRole(server.target, { ...role, password: "Second-Needle" });
    await expect(
      bySuperuser(`ALTER ROLE no_such_role PASSWORD ${literal(scramVerifier("Third-Needle"))}`),
    ).rejects.toThrow(/^(?!.*SCRAM).*no_such_role.*$/s);
    await signIn(role, "Fourth-Needle").catch(() => {});
    // The server's log is on its way through a pipe; a line of our own tells when it has arrived.
    const marker = `marker-${Date.now()}`;
    await bySuperuser(`DO $$ BEGIN RAISE LOG '${marker}'; END $$`);
    let log = "";
    while (!log.includes(marker)) {
      const { stdout } = await executeInContainer(server.target, {
        command: ["sh", "-c", 'cat "$PGDATA"/log/*'],
        user: "postgres",
      });
      log = stdout;
    }
    const container = dockerEngine().getContainer(server.target.container);
    const feed = demultiplexer(
      (piece) => {
        log += piece.toString();
      },
      (piece) => {
        log += piece.toString();
      },
    );
    feed(await container.logs({ stdout: true, stderr: true, follow: false }));
    log += JSON.stringify(await container.inspect());
    log += JSON.stringify(await queryAsSuperuser(server.target, "SELECT query FROM pg_stat_activity"));
    await bySuperuser("CREATE EXTENSION IF NOT EXISTS pg_stat_statements SCHEMA public");
    log += JSON.stringify(
      await queryAsSuperuser(server.target, "SELECT query FROM public.pg_stat_statements"),
    );
    // The log does hold what is not ours, so it was looked into.
    expect(log).toContain("SELECT current_user AS name");
    expect(log).not.toMatch(/Needle|SCRAM-SHA-256\$/);
  });

  test("F51 the superuser can't sign in over TCP, and plain TCP is refused", async () => {
    const { target, trust } = server;
    await expect(connect(target, { role: "postgres", password: "x" }, trust)).rejects.toMatchObject({
      code: "28000",
    });
    const role = specification("application");
    await applyRole(target, role);
    await expect(
      connect(target, { role: role.name, password: role.password }, undefined, { database: DATABASE }),
    ).rejects.toMatchObject({ code: "28000" });
  });
});
