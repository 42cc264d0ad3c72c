import * as pulumi from "@pulumi/pulumi";
import type { DatabaseSpecification } from "../operations/database.ts";
import type { Target } from "../operations/target.ts";
import { TestEnvironmentResource } from "../providers/test-environment.ts";
import { TestSnapshotResource } from "../providers/test-snapshot.ts";

/** What a {@link TestEnvironment} is made from. */
export interface TestEnvironmentArgs {
  /** The server, once its database is there. */
  readonly target: pulumi.Input<Target>;
  /** The snapshot that the database is brought to, with the checksum of its SQL. Default: the database stays empty. */
  readonly snapshot?: { readonly name: string; readonly sha256: string };
  /** What the stack declares for its database. */
  readonly specification: DatabaseSpecification;
  /** Seconds that the server may take to accept connections. Default: 60. */
  readonly readyTimeoutSeconds?: number;
  readonly logsDirectory: string;
}

/** What makes a stack one for tests: the mark in its cluster, and a snapshot in its database. */
export class TestEnvironment extends pulumi.ComponentResource {
  constructor(name: string, args: TestEnvironmentArgs, options?: pulumi.ComponentResourceOptions) {
    super("pgstack:index:TestEnvironment", name, {}, options);
    const { target, snapshot, specification, logsDirectory } = args;
    const readyTimeoutSeconds = args.readyTimeoutSeconds ?? 60;
    const mark = new TestEnvironmentResource(
      name,
      { target, readyTimeoutSeconds, logsDirectory },
      { parent: this },
    );
    if (snapshot !== undefined) {
      new TestSnapshotResource(
        `${name}-snapshot`,
        {
          ...{ target, snapshot: snapshot.name, sha256: snapshot.sha256, specification },
          ...{ readyTimeoutSeconds, logsDirectory },
        },
        { parent: this, dependsOn: mark },
      );
    }
    this.registerOutputs({});
  }
}
