import type * as pulumi from "@pulumi/pulumi";
import type { Target } from "../operations/target.ts";
import { OperationResource } from "./operation-resource.ts";
import type { FirstProvision } from "./role.ts";

/** What a database is made from. */
export interface DatabaseInputs {
  readonly target: Target;
  readonly administrator: string;
  readonly application: string;
  readonly readonly: string;
  readonly schemas: readonly string[];
  readonly extensions: readonly string[];
  /** SQL files, in order, run once when the database is made. */
  readonly initSql: readonly { readonly name: string; readonly sql: string }[];
  /** Seconds that the server may take to accept connections. */
  readonly readyTimeoutSeconds: number;
  readonly firstProvision: FirstProvision;
  /** Id of the last restore: what it brought back is compared anew. Empty: there was none. */
  readonly restored: string;
}

/** The application's database: schemas, extensions, grants and default privileges, compared with the live ones at each run. */
export class DatabaseResource extends OperationResource {
  constructor(
    name: string,
    inputs: { [Key in keyof DatabaseInputs]: pulumi.Input<DatabaseInputs[Key]> },
    options: pulumi.CustomResourceOptions,
  ) {
    super("Database", import.meta.resolve("./database.provider.ts"), name, inputs, options);
  }
}
