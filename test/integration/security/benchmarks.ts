import { beforeAll, describe, test } from "vitest";
import { untilFirstBackup } from "../../support/first-backup.ts";
import { DOCKER_POINTS } from "../../support/security/cis-docker.ts";
import { POSTGRESQL_POINTS } from "../../support/security/cis-postgresql.ts";
import { type DockerFacts, dockerFacts } from "../../support/security/docker-facts.ts";
import type { LiveStack } from "../../support/security/live-stack.ts";
import type { EngineWatch } from "../../support/security/places.ts";
import { type PostgresqlFacts, postgresqlFacts } from "../../support/security/postgresql-facts.ts";

/** What the points of both benchmarks are judged by. */
export interface Facts {
  readonly docker: DockerFacts;
  readonly postgresql: PostgresqlFacts;
}

/**
 * Looks at a stack as its first `up` has left it.
 *
 * @param stack One with backups.
 * @param watch What the engine was seen to do from before the `up`; it ends here.
 */
export async function factsOf(stack: LiveStack, watch: EngineWatch): Promise<Facts> {
  await untilFirstBackup(stack.target);
  return { docker: await dockerFacts(stack, await watch.end()), postgresql: await postgresqlFacts(stack) };
}

/** Each point of the CIS benchmarks that is met. */
export function benchmarks(looked: () => Facts): void {
  let facts: Facts;

  beforeAll(() => {
    facts = looked();
  });

  describe("S7 CIS Docker Benchmark", () => {
    for (const { id, title, check } of DOCKER_POINTS) {
      if (check !== undefined) test(`S7 CIS Docker ${id}: ${title}`, () => check(facts.docker));
    }
  });

  describe("S6 CIS PostgreSQL 16 Benchmark", () => {
    for (const { id, title, check } of POSTGRESQL_POINTS) {
      if (check !== undefined) test(`S6 CIS PostgreSQL ${id}: ${title}`, () => check(facts.postgresql));
    }
  });
}
