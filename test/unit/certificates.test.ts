import { X509Certificate } from "node:crypto";
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { afterEach, describe, expect, test, vi } from "vitest";
import { daysLeft, fingerprintOf, issueCertificates } from "../../operations/certificates.ts";
import { openssl } from "../support/openssl.ts";
import { temporaryFolder } from "../support/temporary-folder.ts";

const request = {
  commonName: "pgstack-dev",
  names: ["pgstack-dev", "db.example.org"],
  addresses: ["172.20.0.2", "::1"],
};
const DAY = 86_400_000;

afterEach(() => void vi.useRealTimers());

describe("S5 generated certificates", () => {
  test("S5 OpenSSL accepts the server's certificate by the authority, by name and by address", async () => {
    const folder = await temporaryFolder();
    const issued = await issueCertificates(request);
    const [ca, server] = [join(folder, "ca.crt"), join(folder, "server.crt")];
    await writeFile(ca, issued.authority.certificate);
    await writeFile(server, issued.certificate);
    const verify = ["verify", "-x509_strict", "-purpose", "sslserver", "-CAfile", ca];
    await expect(openssl(...verify, "-verify_hostname", "db.example.org", server)).resolves.toContain("OK");
    await expect(openssl(...verify, "-verify_ip", "172.20.0.2", server)).resolves.toContain("OK");
    await expect(openssl(...verify, "-verify_ip", "::1", server)).resolves.toContain("OK");
    await expect(openssl(...verify, "-verify_hostname", "other.example.org", server)).rejects.toThrow();
    await expect(openssl("verify", "-purpose", "sslclient", "-CAfile", ca, server)).rejects.toThrow();
    const text = await openssl("x509", "-in", server, "-noout", "-text");
    expect(text).toContain("TLS Web Server Authentication");
    expect(text).toContain("prime256v1");
    expect(text).toMatch(/CA:FALSE/);
  });

  test("S5 the authority signs and nothing else, for ten years", async () => {
    const { authority } = await issueCertificates(request);
    const certificate = new X509Certificate(authority.certificate);
    expect(certificate.ca).toBe(true);
    expect(certificate.verify(certificate.publicKey)).toBe(true);
    expect(certificate.validToDate.getUTCFullYear()).toBe(new Date().getUTCFullYear() + 10);
  });

  test("S5 a renewed certificate is another one by the same authority", async () => {
    const first = await issueCertificates({ ...request, validityDays: 1 });
    const second = await issueCertificates(request, first.authority);
    expect(second.authority).toEqual(first.authority);
    expect(second.fingerprint).not.toBe(first.fingerprint);
    expect(second.key).not.toBe(first.key);
    const authority = new X509Certificate(first.authority.certificate);
    expect(new X509Certificate(second.certificate).verify(authority.publicKey)).toBe(true);
    expect(new X509Certificate(second.certificate).checkIssued(authority)).toBe(true);
  });

  test("no certificate outlives its authority, whatever is asked for [S5 F11]", async () => {
    const { authority } = await issueCertificates(request);
    const end = new X509Certificate(authority.certificate).validToDate;
    const longest = await issueCertificates({ ...request, validityDays: 3_650 }, authority);
    const short = await issueCertificates({ ...request, validityDays: 30 }, authority);
    expect(new X509Certificate(longest.certificate).validToDate <= end).toBe(true);
    expect(Date.parse(short.notAfter) - Date.now()).toBeLessThanOrEqual(30 * DAY);
    vi.useFakeTimers({ now: end.getTime() - 5 * DAY, toFake: ["Date"] });
    const last = await issueCertificates({ ...request, validityDays: 365 }, authority);
    expect(new X509Certificate(last.certificate).validToDate).toEqual(end);
    expect(Date.parse(last.notAfter)).toBe(end.getTime());
    vi.setSystemTime(end);
    await expect(issueCertificates(request, authority)).rejects.toThrow(
      `the certificate authority expired on ${end.toISOString()}: make a new one`,
    );
  });

  test("a client whose clock is an hour behind takes both certificates [S5]", async () => {
    const now = Date.now();
    const issued = await issueCertificates(request);
    for (const pem of [issued.certificate, issued.authority.certificate]) {
      const begin = new X509Certificate(pem).validFromDate.getTime();
      expect(begin).toBeLessThanOrEqual(Date.now() - 3_600_000);
      expect(begin).toBeGreaterThan(now - 2 * 3_600_000);
    }
  });

  test("S5 serial numbers are positive, of 16 bytes and never twice", async () => {
    const all = await Promise.all(Array.from({ length: 20 }, () => issueCertificates(request)));
    const serials = all.map((one) => new X509Certificate(one.certificate).serialNumber);
    expect(new Set(serials).size).toBe(serials.length);
    for (const serial of serials) expect(serial).toMatch(/^[4-7][0-9A-F]{31}$/);
  });

  test("F11 the days that are left are counted in whole days", async () => {
    const issued = await issueCertificates({ ...request, validityDays: 30 });
    const end = Date.parse(issued.notAfter);
    expect(daysLeft(issued.certificate)).toBe(29);
    expect(daysLeft(issued.certificate, new Date(end - 7 * DAY))).toBe(7);
    expect(daysLeft(issued.certificate, new Date(end))).toBe(0);
    expect(daysLeft(issued.certificate, new Date(end + 1_000))).toBe(-1);
    expect(fingerprintOf(issued.certificate)).toBe(issued.fingerprint);
  });

  const wrong: [string, Partial<typeof request> & { validityDays?: number }, RegExp][] = [
    ["no name", { names: [], addresses: [] }, /at least one name or address/],
    ["a name with a space", { names: ["a b"] }, /"a b" is not a DNS name/],
    ["a name that is a path", { names: ["../etc"] }, /is not a DNS name/],
    ["a wrong address", { addresses: ["300.1.1.1"] }, /"300.1.1.1" is not an IP address/],
    ["no validity", { validityDays: 0 }, /1 to 3650 whole days/],
    ["half a day", { validityDays: 0.5 }, /1 to 3650 whole days/],
    ["an empty common name", { commonName: "" }, /1 to 64 characters/],
  ];
  test.each(wrong)("S5 %s is refused", async (_what, change, message) => {
    await expect(issueCertificates({ ...request, ...change })).rejects.toThrow(message);
  });

  test("S5 an authority with another one's key is refused", async () => {
    const [one, other] = await Promise.all([issueCertificates(request), issueCertificates(request)]);
    const mixed = { certificate: one.authority.certificate, key: other.authority.key };
    await expect(issueCertificates(request, mixed)).rejects.toThrow("key does not belong to its certificate");
  });
});
