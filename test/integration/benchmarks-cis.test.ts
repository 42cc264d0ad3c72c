import { afterAll, beforeAll, describe, test } from "vitest";
import { untilFirstBackup } from "../support/first-backup.ts";
import { DOCKER_POINTS } from "../support/security/cis-docker.ts";
import { POSTGRESQL_POINTS } from "../support/security/cis-postgresql.ts";
import { type DockerFacts, dockerFacts } from "../support/security/docker-facts.ts";
import { inTurn } from "../support/security/in-turn.ts";
import { LiveStack } from "../support/security/live-stack.ts";
import { EngineWatch } from "../support/security/places.ts";
import { type PostgresqlFacts, postgresqlFacts } from "../support/security/postgresql-facts.ts";

let stack: LiveStack;
let watch: EngineWatch;
let docker: DockerFacts;
let postgresql: PostgresqlFacts;

beforeAll(async () => {
  stack = await LiveStack.bringUp({ backup: true }, async (project) => {
    watch = await EngineWatch.start(project.stack);
    return {};
  });
  await untilFirstBackup(stack.target);
  docker = await dockerFacts(stack, await watch.end());
  postgresql = await postgresqlFacts(stack);
});

afterAll(async () => {
  await inTurn(
    () => watch?.end(),
    () => stack?.project.remove(),
  );
});

describe("S7 CIS Docker Benchmark", () => {
  for (const { id, title, check } of DOCKER_POINTS) {
    if (check !== undefined) test(`S7 CIS Docker ${id}: ${title}`, () => check(docker));
  }
});

describe("S6 CIS PostgreSQL 16 Benchmark", () => {
  for (const { id, title, check } of POSTGRESQL_POINTS) {
    if (check !== undefined) test(`S6 CIS PostgreSQL ${id}: ${title}`, () => check(postgresql));
  }
});
