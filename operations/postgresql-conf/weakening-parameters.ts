import type { ParameterValue } from "./defaults.ts";

/** What a parameter must be where data and its clients matter, and why. */
export interface Safeguard {
  readonly reason: string;
  /** What is right, in words. */
  readonly right: string;
  readonly fits: (value: ParameterValue) => boolean;
}

const ON = /^(on|t(r(u(e)?)?)?|y(es?)?|1)$/i;
const OFF = /^(off?|f(a(l(s(e)?)?)?)?|no?|0)$/i;
/** Names of libraries, as the server finds them in its own folder. */
const LIBRARIES = /^\s*([a-z0-9_]+(\s*,\s*[a-z0-9_]+)*)?\s*$/;
/** A fresh key for each connection and authenticated encryption; words that only take away or sort. */
const CIPHERS =
  /^((EC)?DHE([+-][A-Z0-9]+)*[+-](AESGCM|GCM|AES\d+-GCM|CHACHA20(-POLY1305)?)([+-][A-Z0-9]+)*|![\w+-]+|@STRENGTH)$/;
const TLS13_CIPHERS = /^TLS_(AES_(128|256)_GCM_SHA(256|384)|CHACHA20_POLY1305_SHA256)$/;
const CURVES =
  /^(prime256v1|secp256r1|secp384r1|secp521r1|P-(256|384|521)|X25519|X448|X25519MLKEM768|SecP256r1MLKEM768)$/i;

const on = (reason: string): Safeguard => ({ reason, right: "on", fits: (value) => ON.test(String(value)) });
const off = (reason: string): Safeguard => ({
  reason,
  right: "off",
  fits: (value) => OFF.test(String(value)),
});
const text = (right: string, pattern: RegExp, reason: string): Safeguard => ({
  ...{ reason, right },
  fits: (value) => pattern.test(String(value).trim()),
});
const absent = (reason: string): Safeguard => text("absent or empty", /^$/, reason);
const number = (right: string, fits: (value: number) => boolean, reason: string): Safeguard => ({
  ...{ reason, right },
  fits: (value) => String(value).trim() !== "" && fits(Number(value)),
});
const all = (right: string, separator: RegExp, part: RegExp, reason: string): Safeguard => ({
  ...{ reason, right },
  fits: (value) =>
    String(value)
      .trim()
      .split(separator)
      .every((one) => part.test(one)),
});

const CRASH = "a crash or a lost page would go unnoticed, or lose data";
const DAMAGE = "it hides or makes damage";
const MEANING =
  "it changes what SQL means: statements that were safe become open to injection, or ask something else";
const AUDIT = "who signed in and what was changed could not be told afterwards";
const DEVELOPER = "it is for the server's own developers: it slows it down, fills its disk or ends it";
const CODE = "code from another place would run with the server's rights";
const RIGHTS = "it lets roles read or write what they have no right to";
const TLS = "connections could be read or changed on their way";

/**
 * Parameters by which staging and production would be weaker than they look. The rest of what PostgreSQL has was gone through as well:
 * `harmless-parameters.ts`.
 */
export const SAFEGUARDS: ReadonlyMap<string, Safeguard> = new Map([
  ["fsync", on(CRASH)],
  ["full_page_writes", on(CRASH)],
  [
    "synchronous_commit",
    text(
      "on, local, remote_write or remote_apply",
      /^(on|true|yes|1|local|remote_write|remote_apply)$/i,
      CRASH,
    ),
  ],
  ["data_sync_retry", off("after a failed write to the disk pages are lost in silence")],
  ["restart_after_crash", on("after a crash of one session the server would stay down")],
  ["remove_temp_files_after_crash", on("each crash would leave its files until the disk is full")],
  ["autovacuum", on("tables would grow without bound, and transaction ids run out")],
  ["track_counts", on("autovacuum works by it")],
  ["exit_on_error", off("any error would end its session")],
  [
    "old_snapshot_threshold",
    text("-1", /^-1$/, "it can give wrong results, and was removed from PostgreSQL for it"),
  ],
  [
    "superuser_reserved_connections",
    number("at least 1", (value) => value >= 1, "health checks could not get in when it is full"),
  ],
  ...[
    "allow_system_table_mods",
    "ignore_checksum_failure",
    "ignore_invalid_pages",
    "ignore_system_indexes",
  ].map((name): [string, Safeguard] => [name, off(DAMAGE)]),
  ["zero_damaged_pages", off(DAMAGE)],
  ["allow_in_place_tablespaces", off(DEVELOPER)],

  ["standard_conforming_strings", on(MEANING)],
  ["backslash_quote", text("safe_encoding or off", /^(safe_encoding|off|false|no|0)$/i, MEANING)],
  ["transform_null_equals", off(MEANING)],
  ["array_nulls", on(MEANING)],
  [
    "search_path",
    {
      reason: MEANING,
      right: "a list without pg_catalog and pg_temp",
      fits: (value) => !/pg_(catalog|temp)/i.test(String(value)),
    },
  ],
  ["db_user_namespace", off("it changes what the roles are called")],

  ["row_security", on("policies on rows would turn queries into errors, or be gone around")],
  ["session_replication_role", text("origin", /^origin$/i, "triggers, foreign keys and rules would not run")],
  ["event_triggers", on("triggers that watch over changes of the schema would not run")],
  ["lo_compat_privileges", off(RIGHTS)],
  ["createrole_self_grant", absent(RIGHTS)],
  ["default_transaction_read_only", off("the stack could not set up its roles")],

  ["shared_preload_libraries", text("names of libraries without a path", LIBRARIES, CODE)],
  ["session_preload_libraries", text("names of libraries without a path", LIBRARIES, CODE)],
  ["local_preload_libraries", text("names of libraries without a path", LIBRARIES, CODE)],
  ["dynamic_library_path", text("$libdir", /^\$libdir$/, CODE)],
  ["extension_control_path", text("$system", /^\$system$/, CODE)],
  ["jit_provider", text("llvmjit", /^llvmjit$/, CODE)],
  ["oauth_validator_libraries", absent(CODE)],
  ...[
    "plperl.on_init",
    "plperl.on_plperl_init",
    "plperl.on_plperlu_init",
    "pltcl.start_proc",
    "pltclu.start_proc",
  ].map((name): [string, Safeguard] => [name, absent(CODE)]),

  ["ssl_ciphers", all("ciphers with ECDHE or DHE and AESGCM or CHACHA20", /[:, ]/, CIPHERS, TLS)],
  [
    "ssl_tls13_ciphers",
    all("cipher suites of TLS 1.3, or empty", /:/, new RegExp(`${TLS13_CIPHERS.source}|^$`), TLS),
  ],
  ["ssl_ecdh_curve", text("prime256v1, secp384r1, secp521r1, X25519 or X448", CURVES, TLS)],
  ["ssl_groups", all("such as X25519:prime256v1", /:/, CURVES, TLS)],
  ["ssl_prefer_server_ciphers", on(TLS)],
  ["ssl_min_protocol_version", text("TLSv1.2 or TLSv1.3", /^TLSv1\.[23]$/i, TLS)],
  ["ssl_max_protocol_version", text("empty, TLSv1.2 or TLSv1.3", /^(TLSv1\.[23])?$/i, TLS)],
  [
    "password_encryption",
    text("scram-sha-256", /^scram-sha-256$/i, "a stolen verifier would be as good as the password"),
  ],
  [
    "scram_iterations",
    number("at least 4096", (value) => value >= 4096, "passwords could be tried out from a stolen verifier"),
  ],
  ["md5_password_warnings", on("weak verifiers would go unnoticed")],
  ["krb_caseins_users", off("two names that differ in capitals would be one role")],
  ["krb_server_keyfile", absent("no client signs in by Kerberos here")],
  ["gss_accept_delegation", off("the server would get its clients' credentials")],
  ["bonjour", off("the server would tell the network of itself")],
  ["pre_auth_delay", text("0", /^0( ?s)?$/, DEVELOPER)],
  ["post_auth_delay", text("0", /^0( ?s)?$/, DEVELOPER)],

  [
    "log_connections",
    {
      reason: AUDIT,
      right: "on",
      fits: (value) => String(value).trim() !== "" && !OFF.test(String(value).trim()),
    },
  ],
  ["log_disconnections", on(AUDIT)],
  ["log_replication_commands", on(AUDIT)],
  ["log_statement", text("ddl, mod or all", /^(ddl|mod|all)$/i, AUDIT)],
  ["log_min_messages", text("warning or lower", /^(debug[1-5]?|info|notice|warning)$/i, AUDIT)],
  ["log_min_error_statement", text("error or lower", /^(debug[1-5]?|info|notice|warning|error)$/i, AUDIT)],
  ["log_error_verbosity", text("default or verbose", /^(default|verbose)$/i, AUDIT)],
  [
    "log_line_prefix",
    text(
      "with %t, %m or %n, %p, %u and %d",
      /^(?=.*%\d*[tmn])(?=.*%-?\d*p)(?=.*%-?\d*u)(?=.*%-?\d*d)/,
      AUDIT,
    ),
  ],
  ["log_filename", text("a name without folders", /^[^/\\]+$/, "the log would be written elsewhere")],
  ["log_rotation_age", text("above 0", /[1-9]/, "one log would grow until the disk is full")],
  ["track_activities", on("nobody could see what the server does")],
  ...["debug_print_parse", "debug_print_plan", "debug_print_rewritten"].map((name): [string, Safeguard] => [
    name,
    off("the log would hold values out of statements, passwords too"),
  ]),

  ["debug_discard_caches", text("0", /^0$/, DEVELOPER)],
  ["debug_io_direct", absent(DEVELOPER)],
  ["debug_logical_replication_streaming", text("buffered", /^buffered$/i, DEVELOPER)],
  ["debug_parallel_query", text("off", OFF, DEVELOPER)],
  ...["jit_debugging_support", "jit_dump_bitcode", "jit_profiling_support", "trace_notify", "trace_sort"].map(
    (name): [string, Safeguard] => [name, off(DEVELOPER)],
  ),
  ["trace_recovery_messages", text("log", /^log$/i, DEVELOPER)],
  ["trace_connection_negotiation", off(DEVELOPER)],
  ["send_abort_for_crash", off("dumps of memory hold data")],
  ["send_abort_for_kill", off("dumps of memory hold data")],
  ["wal_consistency_checking", absent(DEVELOPER)],
]);

/** What is wrong with a parameter's value where data and its clients matter; undefined: nothing. */
export function weakening(name: string, value: ParameterValue): Safeguard | undefined {
  const safeguard = SAFEGUARDS.get(name.toLowerCase());
  return safeguard === undefined || safeguard.fits(value) ? undefined : safeguard;
}
