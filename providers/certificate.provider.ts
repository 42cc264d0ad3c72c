import { daysLeft, type IssuedCertificates, issueCertificates } from "../operations/certificates.ts";
import type { CertificateInputs, CertificateResults } from "./certificate.ts";
import { dynamicProvider } from "./provider.ts";

/** Issues the authority once, and the server certificate again whenever its names change or its end is near. */
export const provider = dynamicProvider<CertificateInputs, CertificateResults>({
  async create(inputs) {
    return { id: inputs.commonName, results: results(await issueCertificates(inputs)) };
  },
  async update(inputs, previous) {
    const authority = { certificate: previous.authority, key: previous.authorityKey };
    return results(await issueCertificates(inputs, authority));
  },
  async drift(inputs, state) {
    const days = daysLeft(state.certificate);
    return days < inputs.renewBeforeDays
      ? [`the server certificate ends in ${days} days: it is renewed`]
      : [];
  },
});

function results({ authority, certificate, key, notAfter }: IssuedCertificates): CertificateResults {
  return { authority: authority.certificate, authorityKey: authority.key, certificate, key, notAfter };
}
