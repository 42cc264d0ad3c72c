import { setTimeout as delay } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { connect, serverAddress } from "../../../operations/connection.ts";
import { connectionInfo } from "../../../operations/connection-info.ts";
import { queryAsSuperuser, runAsSuperuser } from "../../../operations/superuser.ts";
import type { LiveStack } from "../../support/security/live-stack.ts";
import { PsqlClient } from "../../support/security/psql-client.ts";
import type { WrongPasswordOrders } from "../../support/security/wrong-passwords.ts";

const ATTEMPTS = 1000;
const AT_ONCE = 10;
/** Milliseconds; on two busy cores a query answers in single ones, and a lock-out would take seconds. */
const SLOWEST = { query: 500, signIn: 3000 };

let stack: LiveStack;
let psql: PsqlClient;

/** What a program on the stack's network connects with. */
async function settings(kind: "administrator" | "application" | "readonly"): Promise<Record<string, string>> {
  const info = connectionInfo(stack.target, {
    role: kind,
    credential: stack.credential(kind),
    trust: stack.trust,
    address: await serverAddress(stack.target, "bridge"),
    authorityFile: "/tmp/ca.crt",
    showSecrets: true,
  });
  const { PGHOSTADDR: _, ...environment } = info.environment;
  return environment;
}

/**
 * Who gets in from the stack's network, and that wrong passwords keep nobody else out.
 *
 * @param live A stack that publishes no port.
 */
export function signIn(live: () => LiveStack): void {
  beforeAll(async () => {
    stack = live();
    psql = await PsqlClient.start(stack.outputs.deployed.networkName);
    await psql.write("/tmp/ca.crt", stack.trust.authority ?? "");
  });

  afterAll(() => psql?.remove());

  describe("S6 F51 who may sign in from the stack's network", () => {
    test("S5 S6 a program there gets in by the server's name and by its alias, certificate verified", async () => {
      for (const host of [stack.target.container, "postgres"]) {
        const environment = { ...(await settings("application")), PGHOST: host };
        expect(await psql.query(environment, "SELECT current_user")).toBe("application");
      }
    });

    test("S6 F51 the superuser does not get in over TCP, whatever the database, password or way", async () => {
      for (const database of ["postgres", "app", "template1"]) {
        for (const mode of ["verify-full", "disable"]) {
          const environment = {
            ...(await settings("application")),
            PGUSER: "postgres",
            PGDATABASE: database,
          };
          const answer = await psql.query({ ...environment, PGSSLMODE: mode }, "SELECT 1");
          expect(answer).toMatch(/pg_hba\.conf rejects connection for host .* user "postgres"/);
        }
      }
      const superuser = { role: "postgres", password: stack.credential("administrator").password };
      await expect(connect(stack.target, superuser, stack.trust)).rejects.toMatchObject({ code: "28000" });
      const loopback = await stack
        .inside("psql -h 127.0.0.1 -U postgres -w -c 'select 1'")
        .catch((error: Error) => error.message);
      expect(loopback).toMatch(/pg_hba\.conf rejects connection for host "127\.0\.0\.1", user "postgres"/);
    });

    test("S6 F51 application and readonly get into their database only; nobody may speak the replication protocol", async () => {
      for (const kind of ["application", "readonly"] as const) {
        for (const database of ["postgres", "template1"]) {
          const environment = { ...(await settings(kind)), PGDATABASE: database };
          expect(await psql.query(environment, "SELECT 1")).toMatch(/pg_hba\.conf rejects connection/);
        }
      }
      for (const kind of ["administrator", "application", "readonly"] as const) {
        const { PGDATABASE: _, ...environment } = await settings(kind);
        const { stderr } = await psql.run(
          ["psql", "--no-psqlrc", "replication=true", "--command", "IDENTIFY_SYSTEM"],
          environment,
        );
        expect(stderr).toMatch(/pg_hba\.conf rejects replication connection/);
      }
    });

    test("S6 a role that somebody made by hand is let in nowhere", async () => {
      await runAsSuperuser(stack.target, "CREATE ROLE stranger LOGIN PASSWORD 'strange-password'");
      const environment = {
        ...(await settings("application")),
        PGUSER: "stranger",
        PGPASSWORD: "strange-password",
      };
      expect(await psql.query(environment, "SELECT 1")).toMatch(
        /pg_hba\.conf rejects connection .* user "stranger"/,
      );
      await runAsSuperuser(stack.target, "DROP ROLE stranger");
    });

    test("S6 over TCP every line of pg_hba.conf is scram-sha-256 or reject, hostssl where it lets in", async () => {
      const rules = await queryAsSuperuser<{ type: string; method: string }>(
        stack.target,
        "SELECT DISTINCT type, auth_method AS method FROM pg_hba_file_rules ORDER BY 1, 2",
      );
      expect(rules.map(({ type, method }) => `${type} ${method}`)).toEqual([
        "host reject",
        "hostnossl reject",
        "hostssl scram-sha-256",
        "local peer",
        "local reject",
        "local scram-sha-256",
      ]);
    });
  });

  test("S1 no role can take all of the server's connections", async () => {
    const limits = await queryAsSuperuser<{ role: string; limit: number }>(
      stack.target,
      `SELECT rolname AS role, rolconnlimit AS limit FROM pg_roles WHERE rolcanlogin AND NOT rolsuper ORDER BY 1`,
    );
    expect(limits).toEqual([
      { role: "administrator", limit: 92 },
      { role: "application", limit: 92 },
      { role: "readonly", limit: 92 },
    ]);
  });

  test("F14 1,000 wrong passwords in a row are refused and logged, and the server answers others meanwhile", async () => {
    const { host, port } = await serverAddress(stack.target, "bridge");
    const orders: WrongPasswordOrders = {
      ...{ host, port, database: "app", role: "application", attempts: ATTEMPTS, atOnce: AT_ONCE },
      authority: stack.trust.authority ?? "",
      serverName: stack.trust.serverName,
    };
    const session = await stack.session("readonly");
    const program = fileURLToPath(new URL("../../support/security/wrong-passwords.ts", import.meta.url));
    const attack = stack.project.run(process.execPath, [program], { input: JSON.stringify(orders) });
    const over = new AbortController();
    attack.then(
      () => over.abort(),
      () => over.abort(),
    );
    const queries: number[] = [];
    const signIns: number[] = [];
    while (!over.signal.aborted) {
      queries.push(await duration(() => session.query("SELECT 1")));
      if (queries.length % 20 === 0) {
        signIns.push(await duration(async () => (await stack.session("application")).end()));
      }
      await delay(20);
    }
    await session.end();
    const { stdout, output } = await attack;
    expect(output).toBe(stdout);
    expect(JSON.parse(stdout)).toEqual({ "28P01": ATTEMPTS });
    expect(signIns.length).toBeGreaterThan(1);
    expect(percentile(queries, 95)).toBeLessThan(SLOWEST.query);
    expect(percentile(signIns, 95)).toBeLessThan(SLOWEST.signIn);

    const log = await stack.serverLog();
    const refusals = log.match(
      /application@app FATAL: {2}password authentication failed for user "application"/g,
    );
    expect(refusals?.length).toBeGreaterThanOrEqual(ATTEMPTS);
    expect(log).not.toMatch(/wrong-\d+-password/);
    expect(await stack.value("SELECT count(*) FROM pg_stat_activity WHERE usename = 'application'")).toBe(
      "0",
    );
  });
}

async function duration(work: () => Promise<unknown>): Promise<number> {
  const started = performance.now();
  await work();
  return performance.now() - started;
}

function percentile(values: readonly number[], percent: number): number {
  const sorted = values.toSorted((left, right) => left - right);
  return sorted[Math.floor((sorted.length * percent) / 100)] ?? Number.POSITIVE_INFINITY;
}
