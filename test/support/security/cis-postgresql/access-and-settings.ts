import { expect } from "vitest";
import { TEST_PATTERN } from "../../../../operations/testing/names.ts";
import { type BenchmarkPoint, met, metOtherwise, notApplicable } from "../benchmark-point.ts";
import type { PostgresqlFacts } from "../postgresql-facts.ts";
import { onlyOurs, set } from "./parameters.ts";

const NO_STANDBYS = "the stack has no standbys yet";

/** Chapters 4 to 8: access, sign-in, settings, replication, the rest. */
export const ACCESS_AND_SETTINGS: readonly BenchmarkPoint<PostgresqlFacts>[] = [
  notApplicable(
    "4.1",
    "no interactive login as postgres",
    "a container has no login; who may exec is root on the host",
  ),
  met("4.2", "sudo configured", "there is no sudo in the container", ({ shell }) =>
    expect(shell.sudo).toBe(""),
  ),
  met(
    "4.3",
    "no excess of administrators",
    "one superuser, the bootstrap one, which no network reaches",
    ({ roles }) =>
      expect(roles.filter(({ superuser }) => superuser).map(({ name }) => name)).toEqual(["postgres"]),
  ),
  met(
    "4.4",
    "unused accounts locked",
    "four roles may sign in; the superuser has no password",
    ({ roles }) => {
      expect(roles.map(({ name }) => name)).toEqual(["administrator", "application", "postgres", "readonly"]);
      expect(roles.filter(({ hasPassword }) => !hasPassword).map(({ name }) => name)).toEqual(["postgres"]);
    },
  ),
  met("4.5", "no excess of function privileges", "nothing runs with its owner's rights", ({ excess }) =>
    expect(excess.filter((finding) => /owner|language|internal/.test(finding))).toEqual([]),
  ),
  met("4.6", "no excess of rights to write", "readonly writes nowhere, PUBLIC has nothing", ({ excess }) =>
    expect(excess.filter((finding) => /readonly|rights on/.test(finding))).toEqual([]),
  ),
  met(
    "4.7",
    "row-level security holds",
    "policies are the application's; only administrator is above them",
    ({ roles }) =>
      expect(roles.filter(({ bypassRls }) => bypassRls).map(({ name }) => name)).toEqual([
        "administrator",
        "postgres",
      ]),
  ),
  notApplicable(
    "4.8",
    "set_user for superusers",
    "nobody signs in as the superuser: it takes docker exec on the host",
  ),
  met(
    "4.9",
    "predefined roles",
    "administrator gets its rights by five of them and is no superuser",
    ({ roles }) =>
      expect(roles.find(({ name }) => name === "administrator")?.memberOf).toEqual([
        ...["pg_checkpoint", "pg_monitor", "pg_read_all_data", "pg_signal_backend", "pg_write_all_data"],
      ]),
  ),
  met("5.1", "no passwords in command lines", "`secrets.test.ts` watches every process", ({ log }) =>
    expect(log).not.toMatch(/SCRAM-SHA-256\$/),
  ),
  metOtherwise(
    "5.2",
    "bound to an address",
    "to all of the container, whose one network is the stack's own",
    set({ listen_addresses: "*" }),
  ),
  met(
    "5.3",
    "local sign-in",
    "`peer` for the superuser, scram-sha-256 for the roles, the rest refused",
    ({ hba }) => {
      const local = hba.filter(({ type, databases }) => type === "local" && databases[0] !== "replication");
      expect(local[0]).toMatchObject({ users: ["postgres"], method: "peer" });
      expect(new Set(local.slice(1).map(({ method }) => method))).toEqual(
        new Set(["reject", "scram-sha-256"]),
      );
    },
  ),
  met("5.4", "sign-in over TCP", "scram-sha-256 only; no trust, password, md5 or ident", ({ hba }) => {
    const methods = hba.filter(({ type }) => type !== "local").map(({ method }) => method);
    expect(new Set(methods)).toEqual(new Set(["reject", "scram-sha-256"]));
  }),
  met(
    "5.5",
    "connection limits of accounts",
    "each role leaves a twentieth of the slots to the others",
    ({ roles }) =>
      expect(roles.filter(({ superuser }) => !superuser).every(({ limit }) => limit === 92)).toBe(true),
  ),
  metOtherwise(
    "5.6",
    "password complexity",
    "passwords are generated: 32 letters and digits, about 190 bits",
    ({ passwords }) => {
      for (const password of passwords) expect(password).toMatch(/^[A-Za-z0-9]{32}$/);
    },
  ),
  notApplicable("6.1", "attack vectors and parameters", "an explanation, nothing to set"),
  met(
    "6.2",
    "backend parameters",
    "at their safe values",
    set({
      ignore_system_indexes: "off",
      jit_debugging_support: "off",
      jit_profiling_support: "off",
      post_auth_delay: "0",
    }),
  ),
  met("6.3", "postmaster parameters", "all that are not the defaults come from the stack's file", onlyOurs),
  met("6.4", "SIGHUP parameters", "as 6.3; nothing is set by ALTER SYSTEM", onlyOurs),
  met(
    "6.5",
    "superuser parameters",
    "at their safe values",
    set({
      allow_system_table_mods: "off",
      ignore_checksum_failure: "off",
      lo_compat_privileges: "off",
      session_replication_role: "origin",
      zero_damaged_pages: "off",
      backtrace_functions: "",
    }),
  ),
  met(
    "6.6",
    "user parameters",
    "at their safe values",
    set({ row_security: "on", escape_string_warning: "on", standard_conforming_strings: "on" }),
  ),
  notApplicable("6.7", "FIPS 140-2 cryptography", "a matter of the image's OpenSSL and the host's kernel"),
  met("6.8", "TLS on", "`ssl`, certificate and key checked before they are used", set({ ssl: "on" })),
  met(
    "6.9",
    "no TLS below 1.2",
    "`security.test.ts` tries 1.0 and 1.1",
    set({ ssl_min_protocol_version: "TLSv1.2" }),
  ),
  met(
    "6.10",
    "no weak ciphers",
    "fresh keys and authenticated encryption only; `security.test.ts` tries others",
    set({
      ssl_ciphers: "ECDHE+AESGCM:ECDHE+CHACHA20",
      ssl_prefer_server_ciphers: "on",
    }),
  ),
  met("6.11", "pgcrypto", "made with the database", ({ extensions }) =>
    expect(extensions).toContain("pgcrypto"),
  ),
  metOtherwise(
    "7.1",
    "a user for replication",
    "no role but the superuser has the attribute, and none streams over the network: `b-replication.test.ts` speaks the protocol as each role",
    ({ roles, hba }) => {
      expect(roles.filter(({ replication }) => replication).map(({ name }) => name)).toEqual(["postgres"]);
      const physical = hba.filter(({ databases }) => databases.includes("replication"));
      expect(physical.map(({ type, method }) => `${type} ${method}`)).toEqual([
        "local reject",
        "host reject",
      ]);
    },
  ),
  met(
    "7.2",
    "replication commands logged",
    "`log_replication_commands`",
    set({ log_replication_commands: "on" }),
  ),
  metOtherwise(
    "7.3",
    "base backups",
    "pgBackRest reads the cluster's files beside the server, by schedule and from the first `up` on; nothing streams them",
    ({ agent }) => expect(agent.lastRuns).toContainEqual(expect.objectContaining({ result: "ok" })),
  ),
  met("7.4", "WAL archiving", "on wherever the stack backs itself up, and watched by health", (facts) => {
    set({ archive_mode: "on", wal_level: "replica" })(facts);
    expect(facts.agent.archive).toMatchObject({ failing: false });
  }),
  notApplicable("7.5", "parameters of streaming replication", NO_STANDBYS, (facts: PostgresqlFacts) => {
    set({ primary_conninfo: "" })(facts);
    expect(facts.standbys).toBe(0);
  }),
  notApplicable(
    "8.1",
    "folders outside of the cluster",
    "the data volume holds the cluster whole, backups are in a volume or folder of their own",
  ),
  met(
    "8.2",
    "pgBackRest",
    "in the agent's container beside the server: full and incremental backups, the archive, restores to a point in time",
    ({ pgbackrest }) => expect(pgbackrest).toMatch(/^pgBackRest \d+\.\d+/),
  ),
  met(
    "8.3",
    "paths and libraries",
    "no process id file and no library but pg_stat_statements",
    set({
      external_pid_file: "",
      local_preload_libraries: "",
      session_preload_libraries: "",
      shared_preload_libraries: "pg_stat_statements",
      dynamic_library_path: "$libdir",
      unix_socket_directories: "/var/run/postgresql",
    }),
  ),
  // Beyond the benchmark.
  met("+1", "the schema public protected", "PUBLIC may create nowhere", ({ excess }) =>
    expect(excess.filter((finding) => /create/.test(finding))).toEqual([]),
  ),
  metOtherwise(
    "+2",
    "authentication timeout and delay",
    "30 seconds; no delay, which would let whoever guesses hold the slots: the passwords can't be guessed",
    set({ authentication_timeout: "30" }),
  ),
  met("+3", "TLS for clients", "every line that lets in over TCP is hostssl", ({ hba }) =>
    expect(
      hba.filter(({ type, method }) => /^host/.test(type) && type !== "hostssl" && method !== "reject"),
    ).toEqual([]),
  ),
  metOtherwise(
    "+4",
    "ranges of client addresses",
    "setting `clientAddresses`; all by default, since only the stack's network gets there. Production that is published off loopback must name them",
    ({ hba }) => expect(hba.at(-1)).toMatchObject({ type: "host", users: ["all"], method: "reject" }),
  ),
  met(
    "+5",
    "databases and users named",
    "no line lets in `all` users; application and readonly into one database, in test stacks also into those that tests are given",
    ({ hba }) => {
      const lets = hba.filter(({ method, type }) => method === "scram-sha-256" && type !== "local");
      expect(lets.flatMap(({ users }) => users)).not.toContain("all");
      for (const { users, databases } of lets)
        if (!users.includes("administrator")) expect([["app"], [TEST_PATTERN]]).toContainEqual(databases);
    },
  ),
  met("+6", "no superuser from afar", "refused before any line over TCP that lets in", ({ hba }) =>
    expect(
      hba.find(({ type, databases }) => type !== "local" && databases[0] !== "replication"),
    ).toMatchObject({ users: ["postgres"], method: "reject" }),
  ),
  met("+7", "password encryption", "scram-sha-256", set({ password_encryption: "scram-sha-256" })),
];
