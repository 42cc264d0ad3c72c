import * as pulumi from "@pulumi/pulumi";
import type { Target } from "../operations/target.ts";
import { DatabaseResource } from "../providers/database.ts";
import { type FirstProvision, Role } from "../providers/role.ts";
import { ROLE_KINDS, type RoleKind } from "./role-secrets.ts";

/** What a {@link Database} is made from. */
export interface DatabaseArgs {
  /** The server, once its container runs. */
  readonly target: pulumi.Input<Target>;
  /** Names of the three roles. */
  readonly roles: Readonly<Record<RoleKind, string>>;
  /** Their passwords. */
  readonly passwords: Readonly<Record<RoleKind, pulumi.Input<string>>>;
  /** Sessions that each role may have at once. Default: -1, no limit of its own. */
  readonly connectionLimit?: number;
  /** Schemas beside `public`. Default: none. */
  readonly schemas?: readonly string[];
  /** Extensions. Default: uuid-ossp, pgcrypto, pg_stat_statements. */
  readonly extensions?: readonly string[];
  /** SQL files, in order, run once as the administrator when the database is made. */
  readonly initSql?: readonly { readonly name: string; readonly sql: string }[];
  /** Seconds that the server may take to accept connections. Default: 60. */
  readonly readyTimeoutSeconds?: number;
  /** What a first `up` that fails clears away. */
  readonly firstProvision: pulumi.Input<FirstProvision>;
  /** Id of the last restore in place: after another one everything is compared anew. Default: none. */
  readonly restored?: pulumi.Input<string>;
  /** The server's container: where it goes, the roles are not taken out of its cluster first. Default: they are. */
  readonly deletedWith?: pulumi.Resource;
}

/** Roles with least privilege, and the application's database with every grant as declared. */
export class Database extends pulumi.ComponentResource {
  /** The role resources, for others to depend on. */
  readonly roles: readonly Role[];
  /** The database's name, known once everything in it is in place. */
  readonly databaseName: pulumi.Output<string>;

  constructor(name: string, args: DatabaseArgs, options?: pulumi.ComponentResourceOptions) {
    super("pgstack:index:Database", name, {}, options);
    const readyTimeoutSeconds = args.readyTimeoutSeconds ?? 60;
    const deletedWith = args.deletedWith === undefined ? {} : { deletedWith: args.deletedWith };
    this.roles = ROLE_KINDS.map(
      (kind) =>
        new Role(
          `${name}-${kind}`,
          {
            target: args.target,
            name: args.roles[kind],
            kind,
            password: args.passwords[kind],
            connectionLimit: args.connectionLimit ?? -1,
            readyTimeoutSeconds,
            firstProvision: args.firstProvision,
            restored: args.restored ?? "",
          },
          { parent: this, deleteBeforeReplace: true, ...deletedWith },
        ),
    );
    const database = new DatabaseResource(
      name,
      {
        target: args.target,
        administrator: args.roles.administrator,
        application: args.roles.application,
        readonly: args.roles.readonly,
        schemas: [...(args.schemas ?? [])],
        extensions: [...(args.extensions ?? ["uuid-ossp", "pgcrypto", "pg_stat_statements"])],
        initSql: [...(args.initSql ?? [])],
        readyTimeoutSeconds,
        firstProvision: args.firstProvision,
        restored: args.restored ?? "",
      },
      { parent: this, dependsOn: [...this.roles] },
    );
    this.databaseName = database.id;
    this.registerOutputs({ databaseName: this.databaseName });
  }
}
