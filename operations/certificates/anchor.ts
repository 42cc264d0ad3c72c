import { X509Certificate } from "node:crypto";
import { getCACertificates } from "node:tls";

/** By what clients verify a server. */
export interface TrustAnchor {
  /** PEM text of what to trust; empty: the machine's own authorities. */
  readonly authority: string;
  /** Name of the root that is neither in the chain nor known to this machine; then {@link authority} is the chain itself. */
  readonly unknownRoot?: string;
}

const PEM_CERTIFICATE = /-----BEGIN CERTIFICATE-----[\s\S]*?-----END CERTIFICATE-----/g;

/**
 * Finds what a chain is verified by. ACME clients leave the root out, since clients have it: then it is looked for among
 * the machine's own. One that is nowhere leaves the chain itself to be trusted, which only some clients can.
 *
 * @param chain PEM text: the server's certificate first.
 */
export function trustAnchor(chain: string): TrustAnchor {
  const last = chain.match(PEM_CERTIFICATE)?.at(-1);
  if (last === undefined) return { authority: chain };
  const end = new X509Certificate(last);
  if (isSignedBy(end, end)) return { authority: `${last}\n` };
  const known = [...getCACertificates("default"), ...getCACertificates("system")];
  if (known.some((root) => isSignedBy(end, new X509Certificate(root)))) return { authority: "" };
  return { authority: chain, unknownRoot: end.issuer.replaceAll("\n", ", ") };
}

function isSignedBy(certificate: X509Certificate, issuer: X509Certificate): boolean {
  return certificate.checkIssued(issuer) && certificate.verify(issuer.publicKey);
}
