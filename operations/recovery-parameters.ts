/** What recovery left in postgresql.auto.conf; it means nothing to a server that has ended its recovery. */
export const RECOVERY_PARAMETERS = [
  "restore_command",
  "recovery_target",
  "recovery_target_time",
  "recovery_target_name",
  "recovery_target_xid",
  "recovery_target_lsn",
  "recovery_target_action",
  "recovery_target_inclusive",
  "recovery_target_timeline",
];
