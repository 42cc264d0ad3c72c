import type * as pulumi from "@pulumi/pulumi";
import { OperationResource } from "./operation-resource.ts";

/** What a generated server certificate is made from. */
export interface CertificateInputs {
  /** Common name of the server certificate. */
  readonly commonName: string;
  /** Further DNS names that clients may use. */
  readonly names: readonly string[];
  /** IP addresses that clients may use. */
  readonly addresses: readonly string[];
  /** Days that the server certificate is good for. */
  readonly validityDays: number;
  /** Days before its end at which the next `up` issues a new one. */
  readonly renewBeforeDays: number;
}

/** What is known once the certificate is issued; all PEM text. */
export interface CertificateResults {
  readonly authority: string;
  readonly authorityKey: string;
  readonly certificate: string;
  readonly key: string;
  /** End of the server certificate's validity, ISO 8601 in UTC. */
  readonly notAfter: string;
}

/** A certificate authority of the stack's own and the server certificate it signed. */
export class Certificate extends OperationResource {
  declare readonly authority: pulumi.Output<string>;
  declare readonly certificate: pulumi.Output<string>;
  declare readonly key: pulumi.Output<string>;
  declare readonly notAfter: pulumi.Output<string>;

  constructor(name: string, inputs: CertificateInputs, options: pulumi.CustomResourceOptions) {
    super(
      "Certificate",
      import.meta.resolve("./certificate.provider.ts"),
      name,
      {
        ...inputs,
        authority: undefined,
        authorityKey: undefined,
        certificate: undefined,
        key: undefined,
        notAfter: undefined,
      },
      { ...options, additionalSecretOutputs: ["authorityKey", "key"] },
    );
  }
}
