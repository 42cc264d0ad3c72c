import type { Wrong } from "./wrong-values.ts";

/** Values that do not go together, with the machine, or are no plain text. */
export const WRONG_COMBINATIONS: readonly Wrong[] = [
  [
    { sharedBuffers: "2GB" },
    'pgstack:sharedBuffers is "2GB"; it must be at most 768MB, three quarters of memoryLimit 1GB',
  ],
  [
    { memoryLimit: "400MB" },
    'pgstack:memoryLimit is "400MB"; it must be at least 420MB: sharedBuffers 256MB, 64MB for the server and 1MB for each of 100 connections',
  ],
  [
    { maxConnections: "5000", pidsLimit: "6000" },
    'pgstack:memoryLimit is "1GB"; it must be at least 5320MB: sharedBuffers 256MB, 64MB for the server and 1MB for each of 5000 connections',
  ],
  [
    { shmSize: "8MB" },
    'pgstack:shmSize is "8MB"; it must be at least 24MB, which one parallel query may need with workMem 4MB',
  ],
  [{ shmSize: "2GB" }, 'pgstack:shmSize is "2GB"; it must be at most memoryLimit 1GB'],
  [
    { pidsLimit: "100" },
    "pgstack:pidsLimit is 100; it must be at least 141: a process for each of 100 connections, and the server's own",
  ],
  [
    { maxConnections: "7" },
    "pgstack:maxConnections is 7; it must be at least 8: 3 are reserved, and the roles, a backup and a health check take 5",
  ],
  [
    { maxConnections: "10", serverSettings: '{"reserved_connections":5}' },
    "pgstack:maxConnections is 10; it must be at least 13: 8 are reserved, and the roles, a backup and a health check take 5",
  ],
  [
    { serverSettings: '{"min_wal_size":"2GB"}' },
    'pgstack:serverSettings.min_wal_size is "2GB"; it must be at most max_wal_size 1024MB',
  ],
  [
    { serverSettings: '{"max_wal_size":"64MB"}' },
    'pgstack:serverSettings.max_wal_size is "64MB"; it must be at least min_wal_size 80MB',
  ],
  [
    { serverSettings: '{"min_wal_size":"16MB"}' },
    'pgstack:serverSettings.min_wal_size is "16MB"; it must be at least 32MB, two segments of WAL',
  ],
  [
    { serverSettings: '{"wal_level":"minimal"}' },
    'pgstack:serverSettings.wal_level is "minimal"; it must be replica or logical while max_wal_senders is above 0',
  ],
  [
    { environment: "staging", serverSettings: '{"wal_level":"minimal","max_wal_senders":0}' },
    'pgstack:serverSettings.wal_level is "minimal"; it must be replica or logical in staging, for backups and standbys',
  ],
  [
    { serverSettings: '{"fsync":"off"}' },
    'pgstack:serverSettings.fsync is "off"; it must be on: a crash would lose data; off is for pgstack:environment "test" only',
  ],
  [
    { environment: "production", serverSettings: '{"synchronous_commit":false}' },
    'pgstack:serverSettings.synchronous_commit is false; it must be on: a crash would lose data; off is for pgstack:environment "test" only',
  ],
  [
    { serverSettings: '{"full_page_writes":"no"}' },
    'pgstack:serverSettings.full_page_writes is "no"; it must be on: a crash would lose data; off is for pgstack:environment "test" only',
  ],
  [
    { dataInMemory: "256MB" },
    'pgstack:dataInMemory is "256MB"; it must be absent: the data is gone with its container, which is for pgstack:environment "test" only',
  ],
  [
    { environment: "test", dataInMemory: "256MB", backup: "true" },
    "pgstack:backup is true; it must be false with pgstack:dataInMemory: nothing of it is kept",
  ],
  [
    { environment: "test", dataInMemory: "1GB" },
    'pgstack:memoryLimit is "1GB"; it must be at least 1444MB: dataInMemory 1GB beside what the server needs',
  ],
  [
    { environment: "staging", stopGraceSeconds: "30" },
    "pgstack:stopGraceSeconds is 30; it must be at least 120 in staging: a killed server has to recover",
  ],
  [
    { environment: "production", protectVolumes: "false" },
    "pgstack:protectVolumes is false; it must be true in production: its volumes are kept",
  ],
  [
    { initSql: '["sql/none.sql"]' },
    'pgstack:initSql.0 is "sql/none.sql"; it must be a file that exists in the project',
  ],
  [{ initSql: '["docs"]' }, 'pgstack:initSql.0 is "docs"; it must be a file and not a folder'],
  [
    { initSql: '["../x.sql"]' },
    'pgstack:initSql.0 is "../x.sql"; it must be the path of a file inside the project, relative to it',
  ],
  [
    { initSql: '["/etc/passwd"]' },
    'pgstack:initSql.0 is "/etc/passwd"; it must be the path of a file inside the project, relative to it',
  ],
  [
    { backupDirectory: "~/backups" },
    'pgstack:backupDirectory is "~/backups"; it must be an absolute path of a folder on the Docker host, of its own',
  ],
  [
    { backupVolumeName: "shop", dataVolumeName: "shop" },
    'pgstack:backupVolumeName is "shop"; it must be another name than dataVolumeName',
  ],
  [{ backupEncryption: "yes" }, 'pgstack:backupEncryption is "yes"; it must be true or false'],
  [
    { backupS3: '{"endpoint":"https://s3.example.com","bucket":"backups","key":"k","secret":"s"}' },
    'pgstack:backupS3.endpoint is "https://s3.example.com"; it must be a host such as s3.example.com or s3.example.com:9000, reached over https',
  ],
  [
    { backupS3: '{"endpoint":"s3.example.com","bucket":"b","key":"k","secret":"s"}' },
    'pgstack:backupS3.bucket is "b"; it must be a bucket\'s name: 3 to 63 lower-case letters, digits, dots and dashes',
  ],
  [
    { coreTables: '["orders"]' },
    'pgstack:coreTables.0 is "orders"; it must be a table with its schema, such as public.orders',
  ],
  [
    { archiveTimeoutSeconds: "0" },
    'pgstack:archiveTimeoutSeconds is "0"; it must be a whole number of seconds from 1 to 3600',
  ],
  [
    { backup: "false", environment: "production" },
    "pgstack:backup is false; it must be true in production: its data is backed up",
  ],
  [
    { backupDirectory: "/" },
    'pgstack:backupDirectory is "/"; it must be an absolute path of a folder on the Docker host, of its own',
  ],
  [
    { logsDirectory: "." },
    'pgstack:logsDirectory is "."; it must be a folder, relative to the project or absolute, of its own',
  ],
  [
    { backupSchedule: "0 2 * *" },
    'pgstack:backupSchedule is "0 2 * *"; it must be five fields for minute, hour, day of month, month and day of week, such as "0 2 * * *" for 02:00 UTC each day',
  ],
  [
    { backupSchedule: "61 2 * * *" },
    'pgstack:backupSchedule is "61 2 * * *"; it must be five fields for minute, hour, day of month, month and day of week, such as "0 2 * * *" for 02:00 UTC each day',
  ],
  [
    { backupSchedule: "0 0 30 2 *" },
    'pgstack:backupSchedule is "0 0 30 2 *"; it must be a schedule that comes round: no day fits this one',
  ],
  [
    { backupSchedule: "@daily" },
    'pgstack:backupSchedule is "@daily"; it must be five fields for minute, hour, day of month, month and day of week, such as "0 2 * * *" for 02:00 UTC each day',
  ],
  [
    { backupSchedule: "0 0 2 * * *" },
    'pgstack:backupSchedule is "0 0 2 * * *"; it must be five fields for minute, hour, day of month, month and day of week, such as "0 2 * * *" for 02:00 UTC each day',
  ],
  [{ labels: '{"pgstack.stack":"x"}' }, "pgstack:labels.pgstack.stack is for the stack to set; remove it"],
  [{ labels: '{"com.docker.x":"x"}' }, "pgstack:labels.com.docker.x is for Docker to set; remove it"],
  [
    { labels: '{"Team Name":"x"}' },
    "pgstack:labels.Team Name is not a label's name: small letters, digits, dots, dashes, slashes, underscores",
  ],
  [{ labels: '{"team":["x"]}' }, 'pgstack:labels.team is ["x"]; it must be a text'],
  [
    { rotations: '{"application":-1}' },
    "pgstack:rotations.application is -1; it must be a whole number from 0 to 2147483647",
  ],
  [
    { rotations: '{"application":"x"}' },
    'pgstack:rotations.application is "x"; it must be a whole number from 0 to 2147483647',
  ],
  [
    { healthThresholds: '{"diskFreeWarnPercent":1}' },
    "pgstack:healthThresholds.diskFreeWarnPercent is 1; it must be at least diskFreeFailPercent 5",
  ],
  [
    { healthThresholds: '{"connectionsWarnPercent":99}' },
    "pgstack:healthThresholds.connectionsWarnPercent is 99; it must be at most connectionsFailPercent 95",
  ],
  [
    { healthThresholds: '{"certificateDays":[30,30]}' },
    "pgstack:healthThresholds.certificateDays.1 is there already; each may be listed once",
  ],
  [
    { healthThresholds: '{"connectionsWarnPercent":101}' },
    "pgstack:healthThresholds.connectionsWarnPercent is 101; it must be a whole number of percent from 0 to 100",
  ],
  [
    {},
    'BACKUP_SCHEDULE is "daily"; it must be five fields for minute, hour, day of month, month and day of week, such as "0 2 * * *" for 02:00 UTC each day',
    { environment: { BACKUP_SCHEDULE: "daily" } },
  ],
  [
    {},
    'BACKUP_KEEP_DAYS is "many"; it must be a whole number from 1 to 3650',
    { environment: { BACKUP_KEEP_DAYS: "many" } },
  ],
  [
    {},
    'POSTGRES_NETWORK_NAME is "bridge"; it must be another name: Docker keeps this one for itself',
    { environment: { POSTGRES_NETWORK_NAME: "bridge" } },
  ],
  [
    {},
    'PGSTACK_IMAGE is "postgres"; it must be an image with a tag or a digest, such as postgres:16-alpine',
    { environment: { PGSTACK_IMAGE: "postgres" } },
  ],
  [
    { databaseName: "app\u0000" },
    "pgstack:databaseName has a line break or another control character (U+0000); it must be one line of plain text",
  ],
  [
    { databaseName: "app\nx" },
    "pgstack:databaseName has a line break or another control character (U+000A); it must be one line of plain text",
  ],
  [
    { labels: '{"team":"a\\u0000b"}' },
    "pgstack:labels has a line break or another control character (U+0000); it must be one line of plain text",
  ],
  [
    { serverSettings: '{"log_line_prefix":"%t\\n"}' },
    "pgstack:serverSettings has a line break or another control character (U+000A); it must be one line of plain text",
  ],
  [
    {
      clientAddresses:
        '["9999999999999999999999999999999999999999999999999999999999999999999999999999999999999999999999999999"]',
    },
    'pgstack:clientAddresses.0 is "99999999999999999999999999999999999999999999999999999999999… (102 characters); it must be a network such as 10.1.0.0/16 or fd00::/8',
  ],
  [
    { labels: '{"team":"\\ud800"}' },
    "pgstack:labels has half a Unicode character; it must be one line of plain text",
  ],
  [{ port: "1", "pgstack:port": "2" }, "pgstack:port is there twice, with and without pgstack:; keep one"],
  [
    { port: "hunter2" },
    "pgstack:port is a value not shown here; it must be a whole number from 1024 to 65535",
    { secretKeys: ["pgstack:port"] },
  ],
  [{ password: "hunter2" }, "pgstack:password is not a setting; it must be one of those in docs/settings.md"],
  [
    { serverSettings: '{"auto_explain.token":["hunter2"]}' },
    "pgstack:serverSettings.auto_explain.token is a value not shown here; it must be a text, a number, true or false",
  ],
  [
    { serverSettings: '{"__proto__":"1"}' },
    "pgstack:serverSettings.__proto__ is not a setting of PostgreSQL",
  ],
];
