import { expect } from "vitest";
import { type BenchmarkPoint, met, metOtherwise, notApplicable, open } from "../benchmark-point.ts";
import type { PostgresqlFacts } from "../postgresql-facts.ts";
import { set } from "./parameters.ts";

const NO_SYSLOG = "logs go to files and not to syslog";

/** Chapters 1 to 3: installation, files, logging. */
export const INSTALLATION_AND_LOGGING: readonly BenchmarkPoint<PostgresqlFacts>[] = [
  notApplicable("1.1", "packages from authorised sources", "PostgreSQL comes with the image, see Docker 4.2"),
  notApplicable("1.2", "no needless packages", "PostgreSQL comes with the image, see Docker 4.3"),
  notApplicable("1.3", "systemd service enabled", "the engine starts the container again, see Docker 5.15"),
  met(
    "1.4",
    "cluster initialised well",
    "data checksums on, data directory 0700",
    ({ parameters, shell }) => {
      expect(parameters.get("data_checksums")?.setting).toBe("on");
      expect(shell["data directory"]).toBe("700 postgres");
    },
  ),
  notApplicable("1.5", "latest security patches", "each run resolves the image's tag anew, see Docker 5.28"),
  met("1.6", "no PGPASSWORD in profiles", "no profile in the container has it", ({ shell }) =>
    expect(shell["PGPASSWORD in profiles"]).toBe(""),
  ),
  met("1.7", "no PGPASSWORD in environments", "no process in the container has it", ({ shell }) =>
    expect(shell["PGPASSWORD in environments"]).toBe("0"),
  ),
  met("2.1", "umask 0077", "the server's own, and no file of the cluster is for others", ({ shell }) => {
    expect(shell["umask of the server"]).toBe("0077");
    expect(shell["files for others"]).toBe("");
  }),
  met("2.2", "extension files are root's", "and on a read-only file system", ({ shell }) =>
    expect(shell["extension files that are not root's or that others write"]).toBe(""),
  ),
  met("2.3", "no command history", "the home folder is read-only; `pgstack psql` keeps none", ({ shell }) =>
    expect(shell["writing history"]).toMatch(/Read-only file system|nonexistent/),
  ),
  met("2.4", "no passwords in service files", "there is no such file, and no .pgpass", ({ shell }) =>
    expect(shell["files with passwords"]).toBe(""),
  ),
  met("3.1.2", "log destination", "`stderr`, collected into files", set({ log_destination: "stderr" })),
  met("3.1.3", "logging collector on", "`logging_collector`", set({ logging_collector: "on" })),
  met(
    "3.1.4",
    "log directory",
    "`log` in the data directory, which only the server reads",
    set({ log_directory: "log" }),
  ),
  met("3.1.5", "names of log files", "one a weekday", set({ log_filename: "postgresql-%a.log" })),
  met("3.1.6", "log files are the server's alone", "0600", ({ parameters, shell }) => {
    expect(parameters.get("log_file_mode")?.setting).toBe("0600");
    expect(new Set(shell["log files"].split("\n"))).toEqual(new Set(["600 postgres"]));
  }),
  met(
    "3.1.7",
    "truncate on rotation",
    "so that a week is kept and no more",
    set({ log_truncate_on_rotation: "on" }),
  ),
  met("3.1.8", "longest life of a log file", "one day", set({ log_rotation_age: "1440" })),
  met("3.1.9", "largest log file", "100 MB", set({ log_rotation_size: "102400" })),
  notApplicable("3.1.10", "syslog facility", NO_SYSLOG),
  notApplicable("3.1.11", "syslog does not suppress repeats", NO_SYSLOG),
  notApplicable("3.1.12", "syslog does not lose long messages", NO_SYSLOG),
  notApplicable("3.1.13", "program name in syslog", NO_SYSLOG),
  met("3.1.14", "messages worth logging", "`log_min_messages` warning", set({ log_min_messages: "warning" })),
  met(
    "3.1.15",
    "statements that fail",
    "`log_min_error_statement` error",
    set({ log_min_error_statement: "error" }),
  ),
  met("3.1.16", "no parse trees in the log", "`debug_print_parse` off", set({ debug_print_parse: "off" })),
  met(
    "3.1.17",
    "no rewritten trees in the log",
    "`debug_print_rewritten` off",
    set({ debug_print_rewritten: "off" }),
  ),
  met("3.1.18", "no plans in the log", "`debug_print_plan` off", set({ debug_print_plan: "off" })),
  met("3.1.19", "readable debug output", "`debug_pretty_print` on", set({ debug_pretty_print: "on" })),
  met("3.1.20", "connections logged", "`log_connections`", set({ log_connections: "on" })),
  met("3.1.21", "disconnections logged", "`log_disconnections`", set({ log_disconnections: "on" })),
  open(
    "3.1.22",
    "verbose errors",
    "`default`: verbose adds a place in PostgreSQL's source to each error; `serverSettings` can set it",
  ),
  met("3.1.23", "no look-up of host names", "`log_hostname` off", set({ log_hostname: "off" })),
  metOtherwise(
    "3.1.24",
    "line prefix with time, process, user, database, application, client",
    "the first four; application and client stand in the line of the connection, found by the process id",
    ({ parameters, log }) => {
      expect(parameters.get("log_line_prefix")?.setting).toBe("%t [%p] %u@%d ");
      expect(log).toMatch(/UTC \[\d+\] \S+ LOG: {2}connection received: host=\d/);
      expect(log).toMatch(
        /UTC \[\d+\] application@app LOG: {2}connection authorized: .*application_name=.+ SSL enabled/,
      );
    },
  ),
  met(
    "3.1.25",
    "statements logged",
    "`log_statement` mod, more than the ddl asked for",
    set({ log_statement: "mod" }),
  ),
  met("3.1.26", "log time zone", "UTC", set({ log_timezone: "UTC" })),
  open(
    "3.2",
    "pgAudit",
    "not in the official image; changing statements are logged, operations have the audit log. An image with it: `shared_preload_libraries: pgaudit`",
  ),
];
