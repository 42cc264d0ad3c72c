/** Parameters by the reason why each of their values may be taken in production: what they cost at worst is speed or room. */
const GROUPS: Readonly<Record<string, string>> = {
  "it weighs plans against each other; results are the same": `constraint_exclusion cpu_index_tuple_cost cpu_operator_cost cpu_tuple_cost
    cursor_tuple_fraction default_statistics_target enable_async_append enable_bitmapscan enable_distinct_reordering enable_gathermerge
    enable_group_by_reordering enable_hashagg enable_hashjoin enable_incremental_sort enable_indexonlyscan enable_indexscan enable_material
    enable_memoize enable_mergejoin enable_nestloop enable_parallel_append enable_parallel_hash enable_partition_pruning
    enable_partitionwise_aggregate enable_partitionwise_join enable_presorted_aggregate enable_self_join_elimination enable_seqscan
    enable_sort enable_tidscan from_collapse_limit geqo geqo_effort geqo_generations geqo_pool_size geqo_seed geqo_selection_bias
    geqo_threshold jit jit_above_cost jit_expressions jit_inline_above_cost jit_optimize_above_cost jit_tuple_deforming
    join_collapse_limit min_parallel_index_scan_size min_parallel_table_scan_size parallel_leader_participation parallel_setup_cost
    parallel_tuple_cost plan_cache_mode random_page_cost recursive_worktable_factor seq_page_cost stats_fetch_consistency
    synchronize_seqscans effective_cache_size`,
  "memory, processes and files: too little is an error or slow, too much the container's limit": `autovacuum_max_workers
    autovacuum_work_mem autovacuum_worker_slots commit_timestamp_buffers dynamic_shared_memory_type effective_io_concurrency
    file_copy_method file_extend_method gin_fuzzy_search_limit gin_pending_list_limit hash_mem_multiplier huge_page_size huge_pages
    io_combine_limit io_max_combine_limit io_max_concurrency io_method io_workers logical_decoding_work_mem maintenance_io_concurrency
    maintenance_work_mem max_active_replication_origins max_connections max_files_per_process max_locks_per_transaction
    max_logical_replication_workers max_notify_queue_pages max_parallel_apply_workers_per_subscription
    max_parallel_maintenance_workers max_parallel_workers max_parallel_workers_per_gather max_pred_locks_per_page
    max_pred_locks_per_relation max_pred_locks_per_transaction max_prepared_transactions max_replication_slots max_stack_depth
    max_sync_workers_per_subscription max_wal_senders max_worker_processes min_dynamic_shared_memory multixact_member_buffers
    multixact_offset_buffers notify_buffers reserved_connections serializable_buffers shared_buffers shared_memory_type
    subtransaction_buffers temp_buffers temp_file_limit transaction_buffers vacuum_buffer_usage_limit wal_buffers
    wal_decode_buffer_size work_mem`,
  "how often the server tidies up and writes; the server's own limits keep it safe, and health watches": `autovacuum_analyze_scale_factor
    autovacuum_analyze_threshold autovacuum_freeze_max_age autovacuum_multixact_freeze_max_age autovacuum_naptime
    autovacuum_vacuum_cost_delay autovacuum_vacuum_cost_limit autovacuum_vacuum_insert_scale_factor
    autovacuum_vacuum_insert_threshold autovacuum_vacuum_max_threshold autovacuum_vacuum_scale_factor autovacuum_vacuum_threshold
    backend_flush_after bgwriter_delay bgwriter_flush_after bgwriter_lru_maxpages bgwriter_lru_multiplier
    checkpoint_completion_target checkpoint_flush_after checkpoint_timeout checkpoint_warning commit_delay commit_siblings
    idle_replication_slot_timeout max_slot_wal_keep_size max_wal_size min_wal_size recovery_init_sync_method recovery_prefetch
    summarize_wal vacuum_cost_delay vacuum_cost_limit vacuum_cost_page_dirty vacuum_cost_page_hit vacuum_cost_page_miss
    vacuum_failsafe_age vacuum_freeze_min_age vacuum_freeze_table_age vacuum_max_eager_freeze_failure_rate
    vacuum_multixact_failsafe_age vacuum_multixact_freeze_min_age vacuum_multixact_freeze_table_age vacuum_truncate wal_compression
    wal_init_zero wal_keep_size wal_level wal_log_hints wal_recycle wal_skip_threshold wal_summary_keep_time wal_sync_method
    wal_writer_delay wal_writer_flush_after`,
  "time-outs and keep-alives: sessions end sooner or later": `authentication_timeout client_connection_check_interval deadlock_timeout
    idle_in_transaction_session_timeout idle_session_timeout lock_timeout statement_timeout tcp_keepalives_count tcp_keepalives_idle
    tcp_keepalives_interval tcp_user_timeout transaction_timeout`,
  "a standby's, or about one": `hot_standby hot_standby_feedback max_standby_archive_delay max_standby_streaming_delay
    recovery_min_apply_delay sync_replication_slots synchronized_standby_slots synchronous_standby_names wal_receiver_create_temp_slot
    wal_receiver_status_interval wal_receiver_timeout wal_retrieve_retry_interval wal_sender_timeout`,
  "how values are written and read; a session sets its own": `application_name bytea_output check_function_bodies client_encoding
    client_min_messages datestyle default_table_access_method default_tablespace default_text_search_config
    default_toast_compression default_transaction_deferrable default_transaction_isolation escape_string_warning extra_float_digits
    icu_validation_level intervalstyle lc_messages lc_monetary lc_numeric lc_time quote_all_identifiers
    restrict_nonsystem_relation_kind temp_tablespaces timezone timezone_abbreviations transaction_deferrable transaction_isolation
    transaction_read_only xmlbinary xmloption`,
  "what is logged or counted beside the safeguards": `allow_alter_system backtrace_functions cluster_name compute_query_id
    debug_pretty_print event_source log_autovacuum_min_duration log_checkpoints log_duration log_executor_stats log_hostname
    log_lock_failures log_lock_waits log_min_duration_sample log_min_duration_statement log_parameter_max_length
    log_parameter_max_length_on_error log_parser_stats log_planner_stats log_recovery_conflict_waits log_rotation_size
    log_startup_progress_interval log_statement_sample_rate log_statement_stats log_temp_files log_timezone
    log_transaction_sample_rate log_truncate_on_rotation syslog_facility syslog_ident syslog_sequence_numbers syslog_split_messages
    track_activity_query_size track_commit_timestamp track_cost_delay_timing track_functions track_io_timing track_wal_io_timing
    update_process_title bonjour_name`,
};

/** Names of the parameters that were gone through and need no safeguard; a test finds those that nobody has gone through. */
export const HARMLESS_PARAMETERS: ReadonlySet<string> = new Set(
  Object.values(GROUPS).flatMap((names) => names.split(/\s+/)),
);
