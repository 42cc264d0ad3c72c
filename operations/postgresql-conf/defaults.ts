/** Value of a server parameter as a setting gives it. Booleans become `on` and `off`. */
export type ParameterValue = string | number | boolean;

/** A parameter that the stack sets unless the user's settings say otherwise. */
export interface DefaultParameter {
  readonly name: string;
  readonly value: ParameterValue;
  /** Written above the parameter in the file: unit or reason. */
  readonly note?: string;
}

/** Parameters of one concern, under one heading of the file. */
export interface ParameterGroup {
  readonly heading: string;
  readonly parameters: readonly DefaultParameter[];
}

/** Extensions that are always loaded; a user's own `shared_preload_libraries` come after them. */
export const PRELOADED_LIBRARIES: readonly string[] = ["pg_stat_statements"];

/**
 * What the server runs with by default. The logging part follows chapter 3 of the CIS PostgreSQL 16 Benchmark.
 * Parameters: https://www.postgresql.org/docs/16/runtime-config.html
 */
export const DEFAULT_PARAMETERS: readonly ParameterGroup[] = [
  {
    heading: "Connections",
    parameters: [
      { name: "max_connections", value: 100 },
      { name: "superuser_reserved_connections", value: 3 },
      {
        name: "authentication_timeout",
        value: "30s",
        note: "A connection that does not sign in gives its slot back soon",
      },
      {
        name: "tcp_keepalives_idle",
        value: 60,
        note: "Seconds; a client that vanished without a word is noticed within two minutes",
      },
      { name: "tcp_keepalives_interval", value: 10, note: "Seconds" },
      { name: "tcp_keepalives_count", value: 6 },
    ],
  },
  {
    heading: "Memory",
    parameters: [
      { name: "shared_buffers", value: "256MB" },
      {
        name: "effective_cache_size",
        value: "1GB",
        note: "What the planner may expect in all caches together",
      },
      { name: "work_mem", value: "4MB", note: "For each sort or hash of each query" },
      { name: "maintenance_work_mem", value: "64MB", note: "For each vacuum or index build" },
    ],
  },
  {
    heading: "Write-ahead log",
    parameters: [
      { name: "wal_level", value: "replica" },
      { name: "max_wal_size", value: "1GB" },
      { name: "min_wal_size", value: "80MB" },
      {
        name: "max_slot_wal_keep_size",
        value: "4GB",
        note: "What is kept for whoever is away by a replication slot: more would fill the disk",
      },
    ],
  },
  {
    heading: "Planner and storage, for solid-state disks",
    parameters: [
      { name: "random_page_cost", value: 1.1 },
      { name: "effective_io_concurrency", value: 200 },
    ],
  },
  {
    heading: "Logging",
    parameters: [
      {
        name: "log_filename",
        value: "postgresql-%a.log",
        note: "One file a weekday, emptied when its day comes again: seven files and no more",
      },
      { name: "log_truncate_on_rotation", value: true },
      { name: "log_rotation_age", value: "1d" },
      { name: "log_rotation_size", value: "100MB" },
      { name: "log_line_prefix", value: "%t [%p] %u@%d ", note: "Time, process, role and database" },
      { name: "log_statement", value: "mod", note: "Statements that change data or its definition" },
      { name: "log_connections", value: true },
      { name: "log_disconnections", value: true },
      { name: "log_replication_commands", value: true },
      { name: "log_checkpoints", value: true },
      { name: "log_lock_waits", value: true },
      { name: "log_temp_files", value: "10MB", note: "Sorts that did not fit into work_mem" },
      { name: "log_autovacuum_min_duration", value: "10s" },
      { name: "log_error_verbosity", value: "default" },
      { name: "log_min_messages", value: "warning" },
      { name: "log_min_error_statement", value: "error" },
      { name: "log_hostname", value: false, note: "No name look-up for each connection" },
      { name: "log_timezone", value: "UTC" },
    ],
  },
  {
    heading: "Statistics",
    parameters: [
      { name: "shared_preload_libraries", value: PRELOADED_LIBRARIES.join(",") },
      { name: "pg_stat_statements.track", value: "all" },
      { name: "track_io_timing", value: true },
    ],
  },
  {
    heading: "Language and time",
    parameters: [
      { name: "lc_messages", value: "C" },
      { name: "lc_monetary", value: "C" },
      { name: "lc_numeric", value: "C" },
      { name: "lc_time", value: "C" },
      { name: "timezone", value: "UTC" },
    ],
  },
];
