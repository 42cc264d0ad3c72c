import { readFileSync } from "node:fs";
import { describe, expect, test } from "vitest";
import { withRules } from "../../policies/reference.ts";
import {
  CONTAINER,
  type Context,
  type Declared,
  dynamic,
  IMAGE,
  RANDOM_PASSWORD,
  VOLUME,
} from "../../policies/rule.ts";
import { RULES } from "../../policies/rules.ts";
import { STACK_RULES } from "../../policies/whole-stack.ts";

const DIGEST = `sha256:${"a".repeat(64)}`;
const NOW = new Date("2026-03-01T12:00:00Z");

function resource(type: string, props: object, opts: Partial<Declared["opts"]> = {}): Declared {
  return {
    ...{ type, name: "one", props: props as Record<string, unknown> },
    opts: { protect: false, additionalSecretOutputs: [], ...opts },
  };
}

const CONTEXT = { stack: "prod", networkName: "pgstack-prod", backupDirectory: "/srv/backups", now: NOW };

const LABELS = [
  { label: "pgstack.stack", value: "prod" },
  { label: "pgstack.environment", value: "production" },
];

/** The server's container as it should be. */
const SERVER = {
  image: DIGEST,
  command: ["postgres", "-c", "config_file=/etc/pgstack/postgresql.conf"],
  user: "postgres",
  readOnly: true,
  capabilities: { drops: ["ALL"] },
  securityOpts: ["no-new-privileges:true"],
  privileged: false,
  memory: 1024,
  memorySwap: 1024,
  cpus: "2.0",
  logOpts: { "max-size": "10m", "max-file": "3" },
  restart: "unless-stopped",
  destroyGraceSeconds: 120,
  healthcheck: { tests: ["CMD", "pg_isready"] },
  mounts: [{ type: "volume", source: "data", target: "/var/lib/postgresql/data" }],
  envs: ["PGDATA=/var/lib/postgresql/data/current"],
  ports: [{ internal: 5432, external: 5432, ip: "10.1.2.3" }],
  networksAdvanced: [{ name: "pgstack-prod" }],
  tmpfs: { "/tmp": "rw,noexec,nosuid,nodev,size=64m,mode=1777" },
  labels: LABELS,
};

function container(over: object = {}): Declared {
  return resource(CONTAINER, { ...SERVER, ...over });
}

function agent(over: object = {}): Declared {
  const text = {
    logical: { encrypted: true },
    physical: { repositories: ["local", "s3"] },
    retention: { days: 7 },
    schedule: { drill: "30 4 * * *" },
    ...over,
  };
  return resource(
    dynamic("BackupConfiguration"),
    { agent: JSON.stringify(text) },
    { additionalSecretOutputs: ["pgbackrest", "repositories", "key"] },
  );
}

function server(over: object = {}): Declared {
  const props = { tls: { mode: "generated" }, parameters: { fsync: "on" }, ...over };
  return resource(dynamic("ServerConfiguration"), props, { additionalSecretOutputs: ["tls"] });
}

function health(over: object = {}): Declared {
  const props = {
    backupSchedule: "0 2 * * *",
    finalBackup: true,
    requireProof: true,
    destroyUntil: "",
    ...over,
  };
  return resource(dynamic("HealthCheck"), props, { additionalSecretOutputs: ["passwords"] });
}

function network(over: object = {}): Declared {
  const props = { network: "pgstack-prod", internal: true, labels: { "pgstack.stack": "prod" }, ...over };
  return resource(dynamic("Network"), props);
}

function volume(over: object = {}, protect = true): Declared {
  return resource(VOLUME, { name: "data", labels: LABELS, ...over }, { protect });
}

/** By rule: what passes, and what fails with which words. */
const CASES: Record<string, { passes: Declared[]; fails: [Declared, RegExp][] }> = {
  "kind-known": {
    passes: [container(), volume(), network(), resource("pgstack:index:Server", {})],
    fails: [[resource("docker:index/service:Service", {}), /its kind is docker:index\/service:Service/]],
  },
  "image-pinned": {
    passes: [
      resource(IMAGE, { name: `postgres@${DIGEST}` }),
      resource(IMAGE, { name: DIGEST }),
      resource(IMAGE, { name: "pgstack.local/postgres:16.14" }),
    ],
    fails: [[resource(IMAGE, { name: "postgres:16-alpine" }), /postgres:16-alpine has no digest/]],
  },
  "container-image-by-id": {
    passes: [container()],
    fails: [[container({ image: "postgres:16" }), /is postgres:16/]],
  },
  "container-not-root": {
    passes: [container(), container({ user: "999:999" })],
    fails: [
      [container({ user: "root" }), /runs as root/],
      [container({ user: "0:0" }), /runs as 0:0/],
      [container({ user: undefined }), /the image's root/],
    ],
  },
  "container-read-only-root": {
    passes: [container()],
    fails: [[container({ readOnly: false }), /can be written/]],
  },
  "container-no-capabilities": {
    passes: [container()],
    fails: [
      [container({ capabilities: undefined }), /keeps capabilities/],
      [container({ capabilities: { drops: ["ALL"], adds: ["SYS_ADMIN"] } }), /SYS_ADMIN/],
    ],
  },
  "container-no-new-privileges": {
    passes: [container()],
    fails: [[container({ securityOpts: [] }), /not set/]],
  },
  "container-confined": {
    passes: [container()],
    fails: [
      [container({ securityOpts: ["no-new-privileges:true", "seccomp=unconfined"] }), /seccomp=unconfined/],
    ],
  },
  "container-not-privileged": {
    passes: [container()],
    fails: [
      [container({ privileged: true }), /is privileged/],
      [container({ pidMode: "host" }), /pidMode is the host's/],
      [container({ devices: [{ hostPath: "/dev/sda" }] }), /devices is .*\/dev\/sda/],
    ],
  },
  "container-own-network": {
    passes: [container(), container({ networksAdvanced: [], networkMode: "none" })],
    fails: [
      [container({ networkMode: "host" }), /networkMode is the host's/],
      [container({ networksAdvanced: [] }), /on Docker's own bridge/],
    ],
  },
  "container-tmpfs-inert": {
    passes: [container()],
    fails: [[container({ tmpfs: { "/tmp": "rw,nosuid,nodev" } }), /\/tmp is without noexec/]],
  },
  "volume-not-of-host": {
    passes: [
      volume(),
      volume({ driver: "local", driverOpts: { type: "tmpfs", device: "tmpfs", o: "size=1g" } }),
    ],
    fails: [[volume({ driverOpts: { type: "none", o: "bind", device: "/" } }), /its driver mounts/]],
  },
  "container-memory-limit": {
    passes: [container()],
    fails: [
      [container({ memory: undefined }), /no memory limit/],
      [container({ memorySwap: -1 }), /may swap/],
    ],
  },
  "container-processor-limit": {
    passes: [container()],
    fails: [[container({ cpus: undefined }), /no processor limit/]],
  },
  "container-log-bounded": {
    passes: [container()],
    fails: [
      [container({ logOpts: {} }), /no bound/],
      [container({ logOpts: { "max-size": "-1", "max-file": "3" } }), /no bound/],
      [container({ logDriver: "syslog" }), /its log driver syslog/],
    ],
  },
  "container-restarts": {
    passes: [container()],
    fails: [[container({ restart: "no" }), /does not start again/]],
  },
  "container-stop-grace": {
    passes: [container(), container({ command: ["node"], destroyGraceSeconds: 10 })],
    fails: [[container({ destroyGraceSeconds: 10 }), /killed after 10 seconds/]],
  },
  "container-health-check": {
    passes: [container()],
    fails: [
      [container({ healthcheck: undefined }), /no health check/],
      [container({ healthcheck: { tests: ["NONE"] } }), /no health check/],
    ],
  },
  "container-no-host-paths": {
    passes: [container(), container({ mounts: [{ type: "bind", source: "/srv/backups" }] })],
    fails: [
      [container({ mounts: [{ type: "bind", source: "/" }] }), /the whole host/],
      [container({ mounts: [{ type: "bind", source: "/srv/other" }] }), /not pgstack:backupDirectory/],
      [container({ volumes: [{ hostPath: "/var/run/docker.sock" }] }), /docker\.sock/],
    ],
  },
  "container-no-secret-in-environment": {
    passes: [container(), container({ envs: ["POSTGRES_PASSWORD_FILE=/run/secret"] })],
    fails: [[container({ envs: ["POSTGRES_PASSWORD=x"] }), /POSTGRES_PASSWORD/]],
  },
  "network-internal": {
    passes: [
      network(),
      network({ network: "pgstack-prod-access", internal: false }),
      network({ network: "pgstack-prod-storage", internal: false, outgoing: true }),
    ],
    fails: [
      [network({ internal: false }), /pgstack-prod is not internal/],
      [network({ network: "open-access", internal: false }), /open-access is not internal/],
    ],
  },
  "published-network-answers": {
    passes: [
      network({ network: "pgstack-prod-access", internal: false, outgoing: false }),
      network({ network: "pgstack-prod-storage", internal: false, outgoing: true }),
    ],
    fails: [
      [
        network({ network: "pgstack-prod-access", internal: false, outgoing: true }),
        /connections to the outside may begin in the network pgstack-prod-access/,
      ],
    ],
  },
  "port-on-own-address": {
    passes: [container(), container({ ports: [] }), container({ ports: [{ external: 1, ip: "fd00::1" }] })],
    fails: [
      [container({ ports: [{ external: 5432, ip: "0.0.0.0" }] }), /5432 is published on 0\.0\.0\.0/],
      [container({ ports: [{ external: 5432 }] }), /on every address/],
      [container({ ports: [{ external: 5432, ip: "203.0.113.7" }] }), /203\.0\.113\.7/],
    ],
  },
  "port-on-loopback-for-tests": {
    passes: [container({ ports: [{ external: 1, ip: "127.0.0.1" }] })],
    fails: [[container(), /published on 10\.1\.2\.3/]],
  },
  "tls-on": {
    passes: [server(), server({ tls: { mode: "files" } })],
    fails: [
      [server({ tls: { mode: "off" } }), /TLS is off/],
      [server({ tls: undefined }), /TLS is off/],
    ],
  },
  "volumes-protected": { passes: [volume()], fails: [[volume({}, false), /data is not protected/]] },
  durable: {
    passes: [server()],
    fails: [
      [server({ parameters: { fsync: "off" } }), /fsync is off/],
      [server({ parameters: { synchronous_commit: false } }), /synchronous_commit is off/],
    ],
  },
  "data-on-disk": {
    passes: [volume()],
    fails: [[volume({ driverOpts: { type: "tmpfs" } }), /is in memory/]],
  },
  "reset-in-tests-only": {
    passes: [],
    fails: [[resource(dynamic("TestSnapshot"), {}), /would be reset/]],
  },
  "environment-as-declared": {
    passes: [container(), container({ labels: [] })],
    fails: [
      [container({ labels: [{ label: "pgstack.environment", value: "test" }] }), /its label says test/],
    ],
  },
  "backups-scheduled": { passes: [health()], fails: [[health({ backupSchedule: "" }), /no schedule/]] },
  "backups-off-host": {
    passes: [agent()],
    fails: [[agent({ physical: { repositories: ["local"] } }), /no backup leaves the host/]],
  },
  "backups-undeletable": {
    passes: [
      agent({ physical: { repositories: ["local"] } }),
      agent({ physical: { repositories: ["local", "s3"], protection: { mode: "versioned", days: 14 } } }),
    ],
    fails: [[agent({ physical: { repositories: ["local", "s3"] } }), /own key can delete all backups/]],
  },
  "backups-encrypted": {
    passes: [agent()],
    fails: [[agent({ logical: { encrypted: false } }), /not encrypted/]],
  },
  "backups-kept": { passes: [agent()], fails: [[agent({ retention: { days: 3 } }), /for 3 days/]] },
  "backups-proven": { passes: [agent()], fails: [[agent({ schedule: {} }), /no drill/]] },
  "final-backup": {
    passes: [health()],
    fails: [
      [health({ finalBackup: false }), /without a proven backup/],
      [health({ requireProof: false }), /without a proven backup/],
    ],
  },
  "destroy-needs-permission": {
    passes: [health()],
    fails: [[health({ destroyUntil: undefined }), /at any time/]],
  },
  "secrets-encrypted-in-state": {
    passes: [agent(), server(), health()],
    fails: [[resource(dynamic("Role"), { password: "x" }), /password would be plain/]],
  },
  "password-length": {
    passes: [resource(RANDOM_PASSWORD, { length: 32 })],
    fails: [[resource(RANDOM_PASSWORD, { length: 12 }), /of 12 characters/]],
  },
  "records-kept": {
    passes: [health({ logsDirectory: "logs" }), health()],
    fails: [[health({ logsDirectory: "/tmp/../tmp/logs" }), /go to \/tmp/]],
  },
  "server-settings-safe": {
    passes: [server(), server({ parameters: { log_connections: true, work_mem: "4MB" } })],
    fails: [
      [server({ parameters: { log_connections: "off" } }), /log_connections is "off", not on: who signed in/],
    ],
  },
  "backup-key-strong": {
    passes: [agent()],
    fails: [[resource(dynamic("BackupConfiguration"), { key: "short" }), /a key of 5 characters/]],
  },
  "access-keys-secret": {
    passes: [agent()],
    fails: [[resource(dynamic("BackupConfiguration"), {}), /plain in the state/]],
  },
  labelled: {
    passes: [container(), volume(), network()],
    fails: [
      [network({ labels: {} }), /is missing/],
      [volume({ labels: [{ label: "pgstack.stack", value: "other" }] }), /is other/],
    ],
  },
};

describe("G3 rules on resources", () => {
  test("G3 there are at least 25, each with a reason, a remedy and cases", () => {
    expect(RULES.length).toBeGreaterThanOrEqual(25);
    expect(Object.keys(CASES).sort()).toEqual(RULES.map(({ name }) => name).sort());
    for (const { reason, remedy } of RULES)
      expect(Math.min(reason.length, remedy.length)).toBeGreaterThan(15);
  });

  test.each(RULES.map((rule) => [rule.name, rule] as const))("G3 %s passes and fails", (name, rule) => {
    const environment = rule.environments?.at(-1) ?? "production";
    const context: Context = { ...CONTEXT, environment };
    for (const one of CASES[name]?.passes ?? []) expect(rule.check(one, context)).toBeUndefined();
    for (const [one, words] of CASES[name]?.fails ?? []) {
      expect(rule.types.length === 0 || rule.types.includes(one.type)).toBe(true);
      expect(rule.check(one, context)).toMatch(words);
    }
  });

  test("L9 a permission to destroy lets the volumes' protection go as long as it lasts", () => {
    const rule = RULES.find(({ name }) => name === "volumes-protected");
    const context = { ...CONTEXT, environment: "production" };
    const until = (allowDestroyUntil: string) =>
      rule?.check(volume({}, false), { ...context, allowDestroyUntil });
    expect(until("2026-03-01T13:00:00Z")).toBeUndefined();
    expect(until("2026-03-01T11:00:00Z")).toMatch(/not protected/);
  });
});

test("G3 docs/policies.md has the rules as they are", () => {
  const page = readFileSync(new URL("../../docs/policies.md", import.meta.url), "utf8");
  expect(withRules(page)).toBe(page);
});

describe("G3 rules on the whole stack", () => {
  const check = (name: string, resources: readonly Declared[]) =>
    STACK_RULES.find((rule) => rule.name === name)?.check(resources);

  test("G3 a secret in plain sight is found by its value", () => {
    const password = resource(RANDOM_PASSWORD, { length: 32, result: "s3cret-of-the-stack" });
    expect(check("no-secret-in-plain-sight", [password, container()])).toEqual([]);
    for (const over of [
      { envs: ["A=s3cret-of-the-stack"] },
      { command: ["postgres", "s3cret-of-the-stack"] },
      { labels: [{ label: "a", value: "is s3cret-of-the-stack" }] },
    ]) {
      expect(check("no-secret-in-plain-sight", [password, container(over)])).toEqual([
        "one shows a secret of the stack",
      ]);
    }
  });

  test("G3 a server that nothing checks, and two servers on one volume", () => {
    expect(check("health-checked", [server(), health()])).toEqual([]);
    expect(check("health-checked", [server()])).toHaveLength(1);
    expect(check("one-server-for-each-volume", [container()])).toEqual([]);
    expect(check("one-server-for-each-volume", [container(), container()])).toEqual([
      "two servers have the volume data",
    ]);
  });
});
