import { join } from "node:path";
import * as command from "@pulumi/command";
import * as pulumi from "@pulumi/pulumi";
import { readCertificateFiles } from "../operations/certificate-files.ts";
import { trustAnchor } from "../operations/certificates/anchor.ts";
import { Certificate } from "../providers/certificate.ts";
import type { ServerTls } from "../providers/server-configuration.ts";
import { NETWORK_ALIAS } from "./server-container.ts";

/** What {@link Certificates} are made from. */
export interface CertificatesArgs {
  /**
   * `generated`: an authority and a server certificate of the stack's own. `files`: the pair
   * `<certificatesDirectory>/<domain>/fullchain.pem` and `privkey.pem`. `off`: no TLS.
   */
  readonly mode: "generated" | "files" | "off";
  /** Directory that holds a folder for each domain. Needed for `files`. */
  readonly certificatesDirectory?: string;
  /** Name that clients use; the server's certificate must carry it. Needed for `files`. */
  readonly domain?: string;
  /** Name of the server's container: always among the names of a generated certificate. */
  readonly serverName: string;
  /** Further DNS names of a generated certificate. */
  readonly names?: readonly string[];
  /** Further IP addresses of a generated certificate. */
  readonly addresses?: readonly string[];
  /** Days that a generated server certificate is good for. Default: 365. */
  readonly validityDays?: number;
  /** Days before its end at which the next `up` issues a new one. Default: 30. */
  readonly renewBeforeDays?: number;
  /** Folder on the operator's machine, relative to the project, where clients find the authority or the links. */
  readonly linksDirectory: string;
}

/** The server's TLS files, from a generated authority or from a shared directory. */
export class Certificates extends pulumi.ComponentResource {
  /** What the server's configuration takes. */
  readonly tls: pulumi.Output<ServerTls>;
  /** PEM text that clients verify the server by; empty for the machine's own authorities, and when TLS is off. */
  readonly authority: pulumi.Output<string>;
  /** Name that clients verify the server by. */
  readonly serverName: string;
  /** Whether TLS is on. */
  readonly enabled: boolean;
  /** End of the certificate's validity, ISO 8601; empty when TLS is off. */
  readonly notAfter: pulumi.Output<string>;

  constructor(name: string, args: CertificatesArgs, options?: pulumi.ComponentResourceOptions) {
    super("pgstack:index:Certificates", name, {}, options);
    const made = this.create(name, args);
    this.tls = made.tls;
    this.authority = made.authority;
    this.notAfter = made.notAfter;
    this.serverName = args.mode === "files" && args.domain !== undefined ? args.domain : args.serverName;
    this.enabled = args.mode !== "off";
    this.registerOutputs({ authority: this.authority, serverName: this.serverName, notAfter: this.notAfter });
  }

  private create(name: string, args: CertificatesArgs): Pick<Certificates, "tls" | "authority" | "notAfter"> {
    switch (args.mode) {
      case "generated":
        return this.generate(name, args);
      case "files":
        return this.link(name, args);
      case "off":
        return {
          tls: pulumi.output({ mode: "off" }),
          authority: pulumi.output(""),
          notAfter: pulumi.output(""),
        };
    }
  }

  private generate(
    name: string,
    args: CertificatesArgs,
  ): Pick<Certificates, "tls" | "authority" | "notAfter"> {
    const certificate = new Certificate(
      name,
      {
        commonName: args.serverName,
        names: [...new Set([args.serverName, NETWORK_ALIAS, "localhost", ...(args.names ?? [])])],
        addresses: [...new Set(["127.0.0.1", "::1", ...(args.addresses ?? [])])],
        validityDays: args.validityDays ?? 365,
        renewBeforeDays: args.renewBeforeDays ?? 30,
      },
      { parent: this },
    );
    // Clients on this machine verify the server by this file; its text is public.
    new command.local.Command(
      `${name}-authority-file`,
      {
        create:
          'mkdir -p "$DIRECTORY" && cat > "$DIRECTORY/ca.crt.new" && mv "$DIRECTORY/ca.crt.new" "$DIRECTORY/ca.crt"',
        delete: 'rm -f "$DIRECTORY/ca.crt"',
        environment: { DIRECTORY: args.linksDirectory },
        stdin: certificate.authority,
        addPreviousOutputInEnv: false,
      },
      { parent: this },
    );
    return {
      tls: pulumi
        .all([certificate.authority, certificate.certificate, certificate.key])
        .apply(([authority, text, key]) => ({
          mode: "generated" as const,
          authority,
          certificate: text,
          key,
        })),
      authority: certificate.authority,
      notAfter: certificate.notAfter,
    };
  }

  private link(name: string, args: CertificatesArgs): Pick<Certificates, "tls" | "authority" | "notAfter"> {
    const { certificatesDirectory, domain } = args;
    if (certificatesDirectory === undefined || domain === undefined) {
      throw new pulumi.ResourceError("certificates from files need certificatesDirectory and domain", this);
    }
    const files = pulumi.output(readCertificateFiles(certificatesDirectory, domain));
    new command.local.Command(
      `${name}-links`,
      {
        create: [
          'mkdir -p "$DIRECTORY" && source=$(cd "$SOURCE" && pwd)',
          'ln -sfn "$source/fullchain.pem" "$DIRECTORY/server.crt"',
          'ln -sfn "$source/privkey.pem" "$DIRECTORY/server.key"',
        ].join(" && "),
        delete: 'rm -f "$DIRECTORY/server.crt" "$DIRECTORY/server.key"',
        environment: { DIRECTORY: args.linksDirectory, SOURCE: join(certificatesDirectory, domain) },
        addPreviousOutputInEnv: false,
      },
      { parent: this },
    );
    return {
      tls: pulumi.output({
        mode: "files" as const,
        certificatesDirectory,
        domain,
        fingerprint: files.fingerprint,
      }),
      authority: files.certificate.apply((chain) => this.anchor(chain, domain)),
      notAfter: pulumi.output(files.notAfter),
    };
  }

  private anchor(chain: string, domain: string): string {
    const { authority, unknownRoot } = trustAnchor(chain);
    if (unknownRoot !== undefined) {
      pulumi.log.warn(
        `${domain}/fullchain.pem ends below its root (${unknownRoot}), which this machine does not know: psql and other ` +
          "libpq clients verify the server only with that root; put it at the end of the file, or hand it to them",
        this,
      );
    }
    return authority;
  }
}
