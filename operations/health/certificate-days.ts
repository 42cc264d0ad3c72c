import { X509Certificate } from "node:crypto";
import { servedCertificate } from "../server-configuration/served-certificate.ts";
import type { HealthCheck } from "./check.ts";
import type { Finding } from "./report.ts";
import type { HealthThresholds } from "./thresholds.ts";

const DAY_MILLISECONDS = 86_400_000;

/**
 * Days until the certificate that the server shows in its TLS handshake, or the authority that signed it, ends (F11).
 * Seen without signing in, so that an expired one is told by its date. Value: days left.
 */
export const certificateDays: HealthCheck = {
  name: "certificate days left",
  quick: false,
  async run({ target, trust, now, thresholds }) {
    if (trust === undefined) return { status: "not applicable", message: "TLS is off" };
    const served = await servedCertificate(target);
    if (served === undefined) return { status: "failed", message: "the server does not offer TLS" };
    const authorities = trust.authority === undefined ? [] : authorityEnds(trust.authority);
    return evaluateCertificate({ server: new Date(served.valid_to), authorities, now }, thresholds);
  },
};

/** When the certificates in use end. */
export interface CertificateEnds {
  readonly server: Date;
  readonly authorities: readonly Date[];
  readonly now: Date;
}

/** Judges the days left: warns with growing urgency, fails at the end. */
export function evaluateCertificate(
  { server, authorities, now }: CertificateEnds,
  thresholds: Pick<HealthThresholds, "certificateDays">,
): Finding {
  const authority = new Date(Math.min(...authorities.map(Number), server.getTime()));
  const [end, what] = authority < server ? [authority, "authority"] : [server, "certificate"];
  const left = (end.getTime() - now.getTime()) / DAY_MILLISECONDS;
  const value = Math.floor(left);
  const date = end.toISOString().slice(0, 10);
  if (left <= 0) {
    return { status: "failed", message: `the ${what} expired on ${date}: renew it, then run \`up\``, value };
  }
  const steps = [...thresholds.certificateDays].sort((longer, shorter) => shorter - longer);
  const passed = steps.filter((days) => left <= days).length;
  if (passed === 0) return { status: "ok", message: `the ${what} ends in ${value} days, on ${date}`, value };
  const advice = urgency(passed, steps.length);
  const days = value === 1 ? "1 day" : `${value} days`;
  return { status: "warning", message: `the ${what} ends in ${days}, on ${date}: ${advice}`, value };
}

function urgency(passed: number, steps: number): string {
  if (passed === steps) return "renew it NOW, clients will be refused";
  return passed === 1 ? "plan its renewal" : "renew it soon";
}

function authorityEnds(pem: string): Date[] {
  const blocks = pem.match(/-----BEGIN CERTIFICATE-----[\s\S]*?-----END CERTIFICATE-----/g) ?? [];
  return blocks.map((block) => new Date(new X509Certificate(block).validTo));
}
