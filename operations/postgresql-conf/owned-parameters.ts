/** Parameters that the stack sets itself, with the reason to show to whoever wants to set them. */
export const OWNED_PARAMETERS: ReadonlyMap<string, string> = new Map([
  ["listen_addresses", "the stack's network says who reaches the server"],
  ["port", "use the setting port"],
  ["config_file", "the stack keeps the server's files"],
  ["data_directory", "the stack keeps the server's files"],
  ["hba_file", "the stack keeps the server's files"],
  ["ident_file", "the stack keeps the server's files"],
  ["external_pid_file", "the stack keeps the server's files"],
  ["unix_socket_directories", "health checks and the superuser use the socket"],
  ["unix_socket_group", "health checks and the superuser use the socket"],
  ["unix_socket_permissions", "health checks and the superuser use the socket"],
  ["ssl", "use the settings of TLS"],
  ["ssl_cert_file", "use the settings of TLS"],
  ["ssl_key_file", "use the settings of TLS"],
  ["ssl_ca_file", "use the settings of TLS"],
  ["ssl_crl_file", "use the settings of TLS"],
  ["ssl_crl_dir", "use the settings of TLS"],
  ["ssl_dh_params_file", "use the settings of TLS"],
  ["ssl_passphrase_command", "the stack refuses encrypted keys"],
  ["ssl_passphrase_command_supports_reload", "the stack refuses encrypted keys"],
  ["archive_timeout", "use the setting archiveTimeoutSeconds"],
  ["password_encryption", "passwords are kept as SCRAM-SHA-256 only"],
  ["logging_collector", "pgstack logs reads the server's log files"],
  ["log_destination", "pgstack logs reads the server's log files"],
  ["log_directory", "pgstack logs reads the server's log files"],
  ["log_file_mode", "the log is for the server's own user only"],
  ["include", "it is a directive and not a parameter"],
  ["include_dir", "it is a directive and not a parameter"],
  ["include_if_exists", "it is a directive and not a parameter"],
]);

/** Values that a parameter may have here, where PostgreSQL itself would take weaker ones. */
export const ALLOWED_VALUES: ReadonlyMap<string, readonly string[]> = new Map([
  ["ssl_min_protocol_version", ["TLSv1.2", "TLSv1.3"]],
  ["ssl_max_protocol_version", ["", "TLSv1.2", "TLSv1.3"]],
]);
