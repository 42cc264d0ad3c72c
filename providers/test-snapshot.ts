import type * as pulumi from "@pulumi/pulumi";
import type { DatabaseSpecification } from "../operations/database.ts";
import type { Target } from "../operations/target.ts";
import { OperationResource } from "./operation-resource.ts";

/** What a database is reset to. */
export interface TestSnapshotInputs {
  readonly target: Target;
  /** Name of the snapshot. */
  readonly snapshot: string;
  /** SHA-256 of its SQL: with another one the database is reset. */
  readonly sha256: string;
  readonly specification: DatabaseSpecification;
  /** Seconds that the server may take to accept connections. */
  readonly readyTimeoutSeconds: number;
  readonly logsDirectory: string;
}

/** What came of it. */
export interface TestSnapshotResults {
  /** The template database of the snapshot. */
  readonly template: string;
}

/** A snapshot in the stack's database, and its template ready for each next reset. */
export class TestSnapshotResource extends OperationResource {
  declare readonly template: pulumi.Output<string>;

  constructor(
    name: string,
    inputs: { [Key in keyof TestSnapshotInputs]: pulumi.Input<TestSnapshotInputs[Key]> },
    options: pulumi.CustomResourceOptions,
  ) {
    const module = import.meta.resolve("./test-snapshot.provider.ts");
    super("TestSnapshot", module, name, { ...inputs, template: undefined }, options);
  }
}
