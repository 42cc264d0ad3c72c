import { describe, expect, expectTypeOf, it } from "vitest";
import { renderPostgresqlConf } from "../../operations/postgresql-conf.ts";
import type { Settings } from "../../settings/read.ts";
import { serverParameters } from "../../settings/server-parameters.ts";
import { read } from "../support/settings.ts";

describe("P6 defaults", () => {
  const settings = read();

  it("P6 the server's settings are those of the requirement", () => {
    const conf = renderPostgresqlConf(serverParameters(settings), { tls: true, port: settings.port });
    const lines = conf.split("\n");
    for (const line of [
      "listen_addresses = '*'",
      "port = '5432'",
      "max_connections = '100'",
      "superuser_reserved_connections = '3'",
      "shared_buffers = '256MB'",
      "effective_cache_size = '1GB'",
      "work_mem = '4MB'",
      "maintenance_work_mem = '64MB'",
      "wal_level = 'replica'",
      "max_wal_size = '1GB'",
      "min_wal_size = '80MB'",
      "random_page_cost = '1.1'",
      "effective_io_concurrency = '200'",
      "log_rotation_age = '1d'",
      "log_rotation_size = '100MB'",
      "log_line_prefix = '%t [%p] %u@%d '",
      "log_statement = 'mod'",
      "shared_preload_libraries = 'pg_stat_statements'",
      "pg_stat_statements.track = 'all'",
      "lc_messages = 'C'",
      "lc_monetary = 'C'",
      "lc_numeric = 'C'",
      "lc_time = 'C'",
    ]) {
      expect(lines).toContain(line);
    }
  });

  it("P5 P7 everything else has its documented default", () => {
    expect(settings).toMatchObject({
      stack: "demo",
      environment: "development",
      image: "postgres:16-alpine",
      databaseName: "app",
      administratorRole: "administrator",
      applicationRole: "application",
      readonlyRole: "readonly",
      schemas: [],
      extensions: ["uuid-ossp", "pgcrypto", "pg_stat_statements"],
      initSql: [],
      containerName: "pgstack-demo",
      networkName: "pgstack-demo",
      dataVolumeName: "pgstack-demo-data",
      configurationVolumeName: "pgstack-demo-configuration",
      adoptDataVolume: false,
      protectVolumes: false,
      allowDestroy: true,
      labels: {},
      publish: false,
      publishAddress: "127.0.0.1",
      publishPort: 5432,
      clientAddresses: ["0.0.0.0/0", "::/0"],
      serverSettings: {},
      memoryLimit: "1GB",
      cpuLimit: 2,
      pidsLimit: 256,
      shmSize: "256MB",
      stopGraceSeconds: 120,
      tls: { mode: "generated", validityDays: 365, renewBeforeDays: 30, names: [] },
      passwordLength: 32,
      rotations: { administrator: 0, application: 0, readonly: 0 },
      backup: true,
      backupVolumeName: "pgstack-demo-backups",
      backupSchedule: "0 2 * * *",
      backupFullDays: 7,
      drillSchedule: "30 4 * * 0",
      archiveTimeoutSeconds: 3600,
      backupEncryption: false,
      coreTables: [],
      verificationSql: [],
      backupKeepDays: 7,
      backupKeepWeeks: 4,
      backupKeepMonths: 6,
      pitrDays: 7,
      logsDirectory: "logs",
      healthTimeoutSeconds: 60,
    });
  });

  it("L9 production keeps its volumes, refuses to be destroyed and has more memory", () => {
    expect(read({ environment: "production" })).toMatchObject({
      protectVolumes: true,
      allowDestroy: false,
      memoryLimit: "4GB",
      tls: { mode: "generated" },
    });
  });

  it("P5 settings cannot be changed after they were read", () => {
    expect(Object.isFrozen(settings)).toBe(true);
    expect(Object.isFrozen(settings.tls)).toBe(true);
    expect(Object.isFrozen(settings.healthThresholds.disk.warn)).toBe(true);
    expectTypeOf(settings).toEqualTypeOf<Settings>();
  });
});

describe("P5 values that are right", () => {
  it("P5 keys come with or without the namespace; other namespaces are left alone", () => {
    const settings = read({
      "pgstack:port": "5433",
      maxConnections: "50",
      "docker:host": "unix:///x",
      "aws:port": "1",
    });
    expect(settings).toMatchObject({ port: 5433, publishPort: 5433, maxConnections: 50 });
  });

  it("P7 extensions come on top of the three that every stack has", () => {
    expect(read({ extensions: '["hstore", "pgcrypto"]' }).extensions).toEqual([
      "uuid-ossp",
      "pgcrypto",
      "pg_stat_statements",
      "hstore",
    ]);
  });

  it("P5 a bare address is a network of one; bits beside it are kept as given", () => {
    const { clientAddresses } = read({ clientAddresses: '["10.1.2.3", "fd00::1", "10.0.0.0/8"]' });
    expect(clientAddresses).toEqual(["10.1.2.3/32", "fd00::1/128", "10.0.0.0/8"]);
  });

  it("P5 a port below 1024 may be published with the rights of root", () => {
    const config = { publish: "true", publishPort: "80" };
    expect(read(config, { isRoot: true }).publishPort).toBe(80);
  });

  it("S5 files for TLS are taken as named, with only their own keys", () => {
    const tls = { mode: "files", certificatesDirectory: "certificates/", domain: "db.example.com" };
    expect(read({ tls: JSON.stringify(tls) }).tls).toEqual({
      ...tls,
      certificatesDirectory: "certificates",
      renewBeforeDays: 30,
    });
    expect(read({ tls: '{"mode": "off"}' }).tls).toEqual({ mode: "off" });
  });

  it.each([
    ["pgstack", "registry.example.com:5000/team/postgres:16.4"],
    ["digest", `postgres@sha256:${"0".repeat(64)}`],
    ["both", `postgres:16-alpine@sha256:${"0".repeat(64)}`],
  ])("P2 an image may be named by registry, tag and digest (%s)", (_, image) => {
    expect(read({ image }).image).toBe(image);
  });

  it("P5 server settings are checked as PostgreSQL reads them", () => {
    const given = {
      max_wal_size: "1.5GB",
      statement_timeout: 0,
      log_min_duration_statement: "1 min",
      wal_level: "LOGICAL",
      jit: false,
      DateStyle: "ISO, DMY",
      "auto_explain.log_analyze": true,
      synchronous_commit: "remote_write",
    };
    const { DateStyle, ...others } = given;
    expect(read({ serverSettings: JSON.stringify(given) }).serverSettings).toEqual({
      ...others,
      datestyle: DateStyle,
    });
  });

  it("P5 data may be risked in test only", () => {
    const serverSettings = '{"fsync": false, "full_page_writes": "off", "synchronous_commit": "off"}';
    expect(read({ environment: "test", serverSettings }).serverSettings).toHaveProperty("fsync", false);
  });

  it("L1 health thresholds become what the health check takes", () => {
    const { healthThresholds } = read({
      healthThresholds: '{"diskFreeWarnPercent": 25, "certificateDays": [7, 60]}',
    });
    expect(healthThresholds.disk.warn).toEqual({ freeFraction: 0.25, freeBytes: 20 * 1024 ** 3 });
    expect(healthThresholds.certificateDays).toEqual([60, 7]);
  });
});

describe("S4 L3 L4 variables of the environment", () => {
  const environment = {
    PGSTACK_IMAGE: "pgstack.local/postgres:16.14",
    POSTGRES_NETWORK_NAME: "backend",
    BACKUP_SCHEDULE: "30 1 * * *",
    BACKUP_KEEP_DAYS: "1",
    BACKUP_KEEP_WEEKS: "2",
    BACKUP_KEEP_MONTHS: "3",
  };

  it("S4 L3 L4 they take the place of defaults", () => {
    expect(read({}, { environment })).toMatchObject({
      image: "pgstack.local/postgres:16.14",
      networkName: "backend",
      backupSchedule: "30 1 * * *",
      backupKeepDays: 1,
      backupKeepWeeks: 2,
      backupKeepMonths: 3,
    });
  });

  it("S4 L3 L4 the config wins over them, and an empty one counts as not set", () => {
    const config = { image: "postgres:16.4", networkName: "mine", "pgstack:backupKeepDays": "9" };
    expect(read(config, { environment: { ...environment, BACKUP_SCHEDULE: "" } })).toMatchObject({
      image: "postgres:16.4",
      networkName: "mine",
      backupSchedule: "0 2 * * *",
      backupKeepDays: 9,
    });
  });
});
