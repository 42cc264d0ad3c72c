import * as pulumi from "@pulumi/pulumi";
import * as random from "@pulumi/random";

/** The kinds of role that a stack has by default. */
export const ROLE_KINDS = ["administrator", "application", "readonly"] as const;

/** Administrator, application (reads and writes) or read-only. */
export type RoleKind = (typeof ROLE_KINDS)[number];

/** What {@link RoleSecrets} are made from. */
export interface RoleSecretsArgs {
  /** Length of each password, in characters. Default: 32. */
  readonly length?: number;
  /** A count for each kind of role; raising one makes a new password for it at the next `pulumi up`. Default: 0 each. */
  readonly rotations?: Readonly<Partial<Record<RoleKind, number>>>;
}

/** A generated password for each role, kept as a Pulumi secret. */
export class RoleSecrets extends pulumi.ComponentResource {
  /** The passwords, each a secret. */
  readonly passwords: Readonly<Record<RoleKind, pulumi.Output<string>>>;

  constructor(name: string, args: RoleSecretsArgs = {}, options?: pulumi.ComponentResourceOptions) {
    super("pgstack:index:RoleSecrets", name, {}, options);
    this.passwords = {
      administrator: this.createPassword(name, "administrator", args),
      application: this.createPassword(name, "application", args),
      readonly: this.createPassword(name, "readonly", args),
    };
    this.registerOutputs({});
  }

  private createPassword(name: string, kind: RoleKind, args: RoleSecretsArgs): pulumi.Output<string> {
    const password = new random.RandomPassword(
      `${name}-${kind}`,
      {
        length: args.length ?? 32,
        // Letters and digits only: such a password needs no quoting in a URL, a shell or a password file.
        special: false,
        keepers: { rotation: String(args.rotations?.[kind] ?? 0) },
      },
      { parent: this, additionalSecretOutputs: ["result", "bcryptHash"] },
    );
    return pulumi.secret(password.result);
  }
}
