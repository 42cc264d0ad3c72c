import type { SettingsContext } from "../../settings/read.ts";

/** A config, the one line that it is refused with, and what else the stack is like. */
export type Wrong = readonly [Record<string, string>, string, Partial<SettingsContext>?];

/** Keys that are none, and values that are wrong by themselves. */
export const WRONG_VALUES: readonly Wrong[] = [
  [{ prot: "5432" }, "pgstack:prot is not a setting; did you mean pgstack:port?"],
  [
    { max_connections: "10" },
    "pgstack:max_connections is not a setting; did you mean pgstack:maxConnections?",
  ],
  [
    { random_page_cost: "1.1" },
    "pgstack:random_page_cost is not a setting; did you mean pgstack:serverSettings.random_page_cost?",
  ],
  [{ workMemm: "4MB" }, "pgstack:workMemm is not a setting; did you mean pgstack:workMem?"],
  [
    { "pgstack:colour": "blue" },
    "pgstack:colour is not a setting; it must be one of those in docs/settings.md",
  ],
  [{ tls: '{"mod":"off"}' }, "pgstack:tls.mod is not a setting; did you mean pgstack:tls.mode?"],
  [
    { rotations: '{"app":1}' },
    "pgstack:rotations.app is not a setting; it must be one of administrator, application, readonly",
  ],
  [
    { rotations: '{"reader":1}' },
    "pgstack:rotations.reader is not a setting; it must be one of administrator, application, readonly",
  ],
  [
    { healthThresholds: '{"diskFreeWarn":1}' },
    "pgstack:healthThresholds.diskFreeWarn is not a setting; did you mean pgstack:healthThresholds.diskFreeWarnSize?",
  ],
  [{ port: "99" }, 'pgstack:port is "99"; it must be a whole number from 1024 to 65535'],
  [{ port: "70000" }, 'pgstack:port is "70000"; it must be a whole number from 1024 to 65535'],
  [{ port: "5432.5" }, 'pgstack:port is "5432.5"; it must be a whole number from 1024 to 65535'],
  [{ port: "five" }, 'pgstack:port is "five"; it must be a whole number from 1024 to 65535'],
  [{ port: "" }, 'pgstack:port is ""; it must be a whole number from 1024 to 65535'],
  [{ port: '{"a":1}' }, 'pgstack:port is "{\\"a\\":1}"; it must be a whole number from 1024 to 65535'],
  [{ port: "0x1538" }, 'pgstack:port is "0x1538"; it must be a whole number from 1024 to 65535'],
  [{ publish: "yes" }, 'pgstack:publish is "yes"; it must be true or false'],
  [
    { environment: "prod" },
    'pgstack:environment is "prod"; it must be one of development, test, staging, production',
  ],
  [{ maxConnections: "-1" }, 'pgstack:maxConnections is "-1"; it must be a whole number from 1 to 262143'],
  [{ maxConnections: "1e3" }, 'pgstack:maxConnections is "1e3"; it must be a whole number from 1 to 262143'],
  [{ cpuLimit: "0" }, 'pgstack:cpuLimit is "0"; it must be a number of cores from 0.1 to 1024'],
  [{ cpuLimit: "two" }, 'pgstack:cpuLimit is "two"; it must be a number of cores from 0.1 to 1024'],
  [{ pidsLimit: "1" }, 'pgstack:pidsLimit is "1"; it must be a whole number from 32 to 4194304'],
  [
    { stopGraceSeconds: "9" },
    'pgstack:stopGraceSeconds is "9"; it must be a whole number of seconds from 10 to 3600',
  ],
  [
    { passwordLength: "8" },
    'pgstack:passwordLength is "8"; it must be a whole number of characters from 16 to 128',
  ],
  [{ pitrDays: "0" }, 'pgstack:pitrDays is "0"; it must be a whole number of days from 1 to 3650'],
  [{ backupKeepDays: "0" }, 'pgstack:backupKeepDays is "0"; it must be a whole number from 1 to 3650'],
  [
    { healthTimeoutSeconds: "0" },
    'pgstack:healthTimeoutSeconds is "0"; it must be a whole number of seconds from 5 to 3600',
  ],
  [
    { sharedBuffers: "256mb" },
    'pgstack:sharedBuffers is "256mb"; it must be an amount of memory from 128kB to 8TB, with the unit kB, MB, GB or TB',
  ],
  [
    { sharedBuffers: "256" },
    'pgstack:sharedBuffers is "256"; it must be an amount of memory from 128kB to 8TB, with the unit kB, MB, GB or TB',
  ],
  [
    { sharedBuffers: "1.5GB" },
    'pgstack:sharedBuffers is "1.5GB"; it must be an amount of memory from 128kB to 8TB, with the unit kB, MB, GB or TB',
  ],
  [
    { sharedBuffers: "0MB" },
    'pgstack:sharedBuffers is "0MB"; it must be an amount of memory from 128kB to 8TB, with the unit kB, MB, GB or TB',
  ],
  [
    { memoryLimit: "32MB" },
    'pgstack:memoryLimit is "32MB"; it must be an amount of memory from 64MB to 16TB, with the unit kB, MB, GB or TB',
  ],
  [
    { workMem: "1kB" },
    'pgstack:workMem is "1kB"; it must be an amount of memory from 64kB to 2047GB, with the unit kB, MB, GB or TB',
  ],
  [
    { shmSize: "lots" },
    'pgstack:shmSize is "lots"; it must be an amount of memory from 1MB to 16TB, with the unit kB, MB, GB or TB',
  ],
  [
    { databaseName: "postgres" },
    'pgstack:databaseName is "postgres"; it must be another name: PostgreSQL keeps this one for itself',
  ],
  [
    { databaseName: "template1" },
    'pgstack:databaseName is "template1"; it must be another name: PostgreSQL keeps this one for itself',
  ],
  [
    { databaseName: "App" },
    'pgstack:databaseName is "App"; it must be a name of at most 63 lower-case letters, digits and underscores that does not start with a digit',
  ],
  [
    { databaseName: "a b; drop table x" },
    'pgstack:databaseName is "a b; drop table x"; it must be a name of at most 63 lower-case letters, digits and underscores that does not start with a digit',
  ],
  [
    { databaseName: "$(id)" },
    'pgstack:databaseName is "$(id)"; it must be a name of at most 63 lower-case letters, digits and underscores that does not start with a digit',
  ],
  [
    { databaseName: "it's" },
    'pgstack:databaseName is "it\'s"; it must be a name of at most 63 lower-case letters, digits and underscores that does not start with a digit',
  ],
  [
    { databaseName: "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa" },
    'pgstack:databaseName is "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa… (66 characters); it must be a name of at most 63 lower-case letters, digits and underscores that does not start with a digit',
  ],
  [
    { administratorRole: "postgres" },
    'pgstack:administratorRole is "postgres"; it must be another name: postgres is the server\'s superuser',
  ],
  [
    { applicationRole: "pg_monitor" },
    'pgstack:applicationRole is "pg_monitor"; it must be another name: PostgreSQL keeps names that start with pg_',
  ],
  [
    { readonlyRole: "public" },
    'pgstack:readonlyRole is "public"; it must be another name: PostgreSQL keeps this word for itself',
  ],
  [
    { applicationRole: "1st" },
    'pgstack:applicationRole is "1st"; it must be a name of at most 63 lower-case letters, digits and underscores that does not start with a digit',
  ],
  [
    { applicationRole: "administrator" },
    'pgstack:applicationRole is "administrator"; it must be another name than administratorRole',
  ],
  [
    { readonlyRole: "application" },
    'pgstack:readonlyRole is "application"; it must be another name than applicationRole',
  ],
  [
    { containerName: "-db" },
    'pgstack:containerName is "-db"; it must be a name of 2 to 63 letters, digits, dots, dashes and underscores that starts with a letter or digit',
  ],
  [
    { networkName: "host" },
    'pgstack:networkName is "host"; it must be another name: Docker keeps this one for itself',
  ],
  [
    { dataVolumeName: "a/b" },
    'pgstack:dataVolumeName is "a/b"; it must be a name of 2 to 63 letters, digits, dots, dashes and underscores that starts with a letter or digit',
  ],
  [
    { configurationVolumeName: "pgstack-demo-data" },
    'pgstack:configurationVolumeName is "pgstack-demo-data"; it must be another name than dataVolumeName',
  ],
  [
    { image: "postgres" },
    'pgstack:image is "postgres"; it must be an image with a tag or a digest, such as postgres:16-alpine',
  ],
  [
    { image: "postgres:latest" },
    'pgstack:image is "postgres:latest"; it must be an image with a tag or a digest, such as postgres:16-alpine: latest becomes another major version one day, which cannot read the data',
  ],
  [
    { image: "Postgres 16" },
    'pgstack:image is "Postgres 16"; it must be an image with a tag or a digest, such as postgres:16-alpine',
  ],
  [
    { extensions: "hstore" },
    'pgstack:extensions is "hstore"; it must be a list such as ["hstore", "citext"]',
  ],
  [
    { extensions: '["hstore; drop"]' },
    'pgstack:extensions.0 is "hstore; drop"; it must be the name of an extension such as hstore or uuid-ossp',
  ],
  [{ extensions: '["hstore","hstore"]' }, "pgstack:extensions.1 is there already; each may be listed once"],
  [
    { schemas: '["pg_x"]' },
    'pgstack:schemas.0 is "pg_x"; it must be another name: PostgreSQL keeps this one for itself',
  ],
  [
    { schemas: '["public"]' },
    'pgstack:schemas.0 is "public"; it must be another name: the schema public is always there',
  ],
  [
    { schemas: "[1]" },
    "pgstack:schemas.0 is 1; it must be a name of at most 63 lower-case letters, digits and underscores that does not start with a digit",
  ],
  [
    { schemas: '["sales"' },
    'pgstack:schemas is "[\\"sales\\""; it must be a list such as ["sales", "stock"]',
  ],
  [
    {
      restore:
        '{"latest":true,"repositoryTime":"yesterday","from":{"s3":{"endpoint":"s3.example.com","bucket":"backups","key":"K","secret":"S"}}}',
    },
    'pgstack:restore.repositoryTime is refused: "yesterday" is no point in time: give it with its zone, such as 2026-03-01T14:30:00Z or 2026-03-01 15:30:00+01',
  ],
  [
    { restore: '{"latest":true,"repositoryTime":"2026-03-01T14:30:00Z","from":{"volume":"backups"}}' },
    "pgstack:restore.repositoryTime goes with from.s3: no other place keeps what was deleted",
  ],
  [
    {
      backupS3:
        '{"endpoint":"s3.example.com","bucket":"backups","key":"K","secret":"S","protection":"maybe"}',
    },
    'pgstack:backupS3.protection is "maybe"; it must be one of none, versioned, locked',
  ],
  [
    { restore: '{"latest":true,"accept":" "}' },
    "pgstack:restore.accept must be the reason in 3 to 500 characters",
  ],
];
