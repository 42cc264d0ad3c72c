import type * as pulumi from "@pulumi/pulumi";
import type { Target } from "../operations/target.ts";
import { OperationResource } from "./operation-resource.ts";

/** What marks a cluster as one for tests. */
export interface TestEnvironmentInputs {
  readonly target: Target;
  /** Seconds that the server may take to accept connections. */
  readonly readyTimeoutSeconds: number;
  readonly logsDirectory: string;
}

/** The mark in the cluster without which no database of it is ever reset. */
export class TestEnvironmentResource extends OperationResource {
  constructor(
    name: string,
    inputs: { [Key in keyof TestEnvironmentInputs]: pulumi.Input<TestEnvironmentInputs[Key]> },
    options: pulumi.CustomResourceOptions,
  ) {
    super("TestEnvironment", import.meta.resolve("./test-environment.provider.ts"), name, inputs, options);
  }
}
