import { describe, expect, test } from "vitest";
import { DEFAULT_PARAMETERS } from "../../operations/postgresql-conf/defaults.ts";
import { HARMLESS_PARAMETERS } from "../../operations/postgresql-conf/harmless-parameters.ts";
import { OWNED_PARAMETERS } from "../../operations/postgresql-conf/owned-parameters.ts";
import { SAFEGUARDS } from "../../operations/postgresql-conf/weakening-parameters.ts";
import { renderPostgresqlConf } from "../../operations/postgresql-conf.ts";
import { type Context, type Declared, dynamic } from "../../policies/rule.ts";
import { RULES } from "../../policies/rules.ts";
import { parameterNames } from "../../settings/parameter-catalogue.ts";
import { NAMED_PARAMETERS, REFUSED } from "../../settings/server-parameters.ts";
import { read, refusal } from "../support/settings.ts";

/** What outside trials found that staging and production took. */
const WEAK: readonly [name: string, value: string | number | boolean][] = [
  ["ssl_ciphers", "ALL:NULL"],
  ["ssl_ciphers", "ECDHE+AESGCM:@SECLEVEL=0"],
  ["lo_compat_privileges", true],
  ["scram_iterations", 1],
  ["standard_conforming_strings", "off"],
  ["log_connections", "off"],
  ["log_disconnections", false],
  ["log_statement", "none"],
  ["log_min_messages", "panic"],
  ["log_line_prefix", "%t"],
  ["session_replication_role", "replica"],
  ["row_security", "off"],
  ["backslash_quote", "on"],
  ["transform_null_equals", "on"],
  ["data_sync_retry", "on"],
  ["autovacuum", "off"],
  ["restart_after_crash", "off"],
  ["debug_print_parse", "on"],
  ["send_abort_for_crash", "on"],
  ["jit_dump_bitcode", "on"],
  ["jit_provider", "/tmp/evil"],
  ["session_preload_libraries", "/tmp/evil.so"],
  ["local_preload_libraries", "../evil"],
  ["dynamic_library_path", "/tmp:$libdir"],
  ["search_path", "public, pg_catalog"],
  ["plperl.on_init", "system('id')"],
  ["krb_caseins_users", "on"],
  ["bonjour", "on"],
  ["createrole_self_grant", "set, inherit"],
];
const STRICT = ["staging", "production"] as const;
const contextOf = (environment: string): Context => ({
  ...{ stack: "demo", environment, networkName: "pgstack-demo", now: new Date("2026-03-01T12:00:00Z") },
});

function finding(rule: string, type: string, props: Readonly<Record<string, unknown>>): string | undefined {
  const resource: Declared = {
    ...{ type: dynamic(type), name: "one", props },
    opts: { protect: false, additionalSecretOutputs: ["pgbackrest", "repositories", "key", "tls"] },
  };
  return RULES.find(({ name }) => name === rule)?.check(resource, contextOf("production"));
}

describe("staging and production refuse what makes them weaker than they look [B8]", () => {
  test.each(WEAK)(
    "%s = %s is refused with its reason, by settings and by policy; tests take it",
    (name, value) => {
      const serverSettings = JSON.stringify({ [name]: value });
      for (const environment of STRICT) {
        const reason = SAFEGUARDS.get(name)?.reason ?? "";
        const [line = "", ...more] = refusal({ environment, serverSettings });
        expect(more).toEqual([]);
        expect(line).toContain(`pgstack:serverSettings.${name} is ${JSON.stringify(value)}; it must be `);
        expect(line).toContain(` in ${environment}: ${reason}`);
      }
      expect(
        finding("server-settings-safe", "ServerConfiguration", { parameters: { [name]: value } }),
      ).toContain(name);
      for (const environment of ["development", "test"])
        expect(refusal({ environment, serverSettings })).toEqual([]);
    },
  );

  test("what no stack may be told is found in a program that was changed by hand, too", () => {
    for (const name of [
      "zero_damaged_pages",
      "ignore_checksum_failure",
      "archive_command",
      "allow_system_table_mods",
    ]) {
      const found = finding("server-settings-safe", "ServerConfiguration", {
        parameters: { [name.toUpperCase()]: "on" },
      });
      expect(found).toContain("is set: ");
    }
  });

  test("every parameter that PostgreSQL has was gone through, and none twice", () => {
    const places = (name: string): string[] => [
      ...(SAFEGUARDS.has(name) && !REFUSED.has(name) && !OWNED_PARAMETERS.has(name) ? ["safeguarded"] : []),
      ...(HARMLESS_PARAMETERS.has(name) && !NAMED_PARAMETERS.has(name) ? ["harmless"] : []),
      ...(REFUSED.has(name) || OWNED_PARAMETERS.has(name) || name.startsWith("recovery_target")
        ? ["refused"]
        : []),
      ...(NAMED_PARAMETERS.has(name) && !OWNED_PARAMETERS.has(name) ? ["named"] : []),
    ];
    expect(parameterNames().filter((name) => places(name).length !== 1)).toEqual([]);
    const known = new Set(parameterNames());
    expect([...HARMLESS_PARAMETERS].filter((name) => !known.has(name))).toEqual([]);
  });

  test("what the stack sets by itself keeps its own safeguards", () => {
    const own = renderPostgresqlConf({}, { tls: true, archiveTimeoutSeconds: 5 });
    const lines = [...own.matchAll(/^(\w+(?:\.\w+)?) = '(.*)'$/gm)].map(([, name = "", value = ""]) => [
      name,
      value,
    ]);
    expect(lines.length).toBeGreaterThan(DEFAULT_PARAMETERS.length);
    expect(lines.filter(([name = "", value = ""]) => SAFEGUARDS.get(name)?.fits(value) === false)).toEqual(
      [],
    );
  });

  test("a backup's key that can be tried out, and keys in plain settings, are refused", () => {
    const storage = JSON.stringify({
      endpoint: "s3.example.com",
      bucket: "backups",
      key: "AKIDEXAMPLE",
      secret: "plain",
    });
    const key = `${"k9Zq".repeat(2)}7bTx1mPwE4cRuYhA`;
    const secretKeys = ["pgstack:backupKey", "pgstack:backupS3"];
    for (const environment of STRICT) {
      const config = { environment, backupEncryption: "true" };
      expect(refusal({ ...config, backupKey: "x" }, { secretKeys })).toEqual([
        expect.stringMatching(
          /^pgstack:backupKey is a value not shown here; it must be at least 24 characters in /,
        ),
      ]);
      expect(refusal({ ...config, backupKey: "a".repeat(40) }, { secretKeys })).toHaveLength(1);
      expect(refusal({ ...config, backupKey: key }, { secretKeys })).toEqual([]);
      expect(refusal({ ...config, backupKey: key })).toEqual([
        expect.stringMatching(
          /^pgstack:backupKey holds a key as plain text, which \w+ does not take: pulumi config set --secret/,
        ),
      ]);
      expect(refusal({ ...config, backupS3: storage }, { secretKeys })).toEqual([]);
      expect(refusal({ ...config, backupS3: storage })).toEqual([
        expect.stringMatching(/^pgstack:backupS3 holds a key as plain text/),
      ]);
    }
    expect(refusal({ backupEncryption: "true", backupKey: "x", backupS3: storage })).toEqual([]);
    expect(finding("backup-key-strong", "BackupConfiguration", { key: "x" })).toContain(
      "a key of 1 characters",
    );
    expect(finding("backup-key-strong", "BackupConfiguration", { key: "" })).toBeUndefined();
  });

  test("an exception of the policies counts for the settings, too", () => {
    const config = { environment: "production", serverSettings: '{"log_disconnections":"off"}' };
    expect(refusal(config)).toHaveLength(1);
    expect(read(config, { accepted: new Set(["server-settings-safe"]) }).serverSettings).toEqual({
      log_disconnections: "off",
    });
  });
});
