import { afterAll, beforeAll, expect, test } from "vitest";
import type { VerifyResult } from "../../agent/verify.ts";
import { AgentInServer } from "../support/agent-in-server.ts";

const TABLES = 1_500;

let server: AgentInServer;

beforeAll(async () => {
  server = await AgentInServer.start();
  await server.use("app");
  await server.run("CREATE ROLE app_admin LOGIN; CREATE DATABASE app OWNER app_admin");
  await server.run(
    `SET ROLE app_admin;
     CREATE SCHEMA many;
     SELECT format('CREATE TABLE many.t%s (id int PRIMARY KEY, a text, b text); CREATE INDEX ON many.t%1$s (a); CREATE INDEX ON many.t%1$s (b); INSERT INTO many.t%1$s VALUES (1)', n)
       FROM generate_series(1, ${TABLES}) n \\gexec`,
    "app",
  );
});
afterAll(() => server?.remove());

// Before: the throw-away server had the default number of locks for a fifth of the connections: out of shared memory.
test(`${TABLES} tables with three indexes each are dumped, restored and compared [A10]`, async () => {
  const { id } = await server.dump();
  const [result] = await server.call<VerifyResult[]>("verify", { id, deep: true });
  expect(result?.problems).toEqual([]);
});
