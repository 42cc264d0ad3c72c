import type * as pulumi from "@pulumi/pulumi";
import type { Target } from "../operations/target.ts";
import { OperationResource } from "./operation-resource.ts";

/** What a role is made from. */
export interface RoleInputs {
  readonly target: Target;
  readonly name: string;
  readonly kind: "administrator" | "application" | "readonly";
  readonly password: string;
  /** Sessions that the role may have at once; -1: no limit of its own. */
  readonly connectionLimit: number;
  /** Seconds that the server may take to accept connections. */
  readonly readyTimeoutSeconds: number;
  readonly firstProvision: FirstProvision;
  /** Id of the last restore: what it brought back is compared anew. Empty: there was none. */
  readonly restored: string;
}

/** What a first `up` that fails has to clear away, and where its records go. */
export interface FirstProvision {
  readonly dataVolume: string;
  readonly imageId: string;
  readonly logsDirectory: string;
}

/** A login role of the server, with exactly the attributes of its kind. */
export class Role extends OperationResource {
  constructor(
    name: string,
    inputs: { [Key in keyof RoleInputs]: pulumi.Input<RoleInputs[Key]> },
    options: pulumi.CustomResourceOptions,
  ) {
    super("Role", import.meta.resolve("./role.provider.ts"), name, inputs, {
      ...options,
      additionalSecretOutputs: ["password"],
    });
  }
}
