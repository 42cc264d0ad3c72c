import { getCACertificates, setDefaultCACertificates } from "node:tls";
import { expect, onTestFinished, test } from "vitest";
import { trustAnchor } from "../../operations/certificates/anchor.ts";
import { issueCertificates } from "../../operations/certificates.ts";

const { certificate, authority } = await issueCertificates({
  commonName: "db.example.org",
  names: ["db.example.org"],
  addresses: [],
});

test("S5 a chain with its root is verified by that root alone", () => {
  expect(trustAnchor(certificate + authority.certificate)).toEqual({ authority: authority.certificate });
});

test("S5 a chain without its root is verified by the machine's authorities where they know it", () => {
  const before = getCACertificates("default");
  onTestFinished(() => setDefaultCACertificates(before));
  setDefaultCACertificates([...before, authority.certificate]);
  expect(trustAnchor(certificate)).toEqual({ authority: "" });
});

test("S5 a chain whose root nobody knows is trusted as it is, and the root is named", async () => {
  expect(trustAnchor(certificate)).toEqual({
    authority: certificate,
    unknownRoot: "CN=db.example.org authority",
  });
  const namesake = await issueCertificates({ commonName: "db.example.org", names: ["x"], addresses: [] });
  const before = getCACertificates("default");
  onTestFinished(() => setDefaultCACertificates(before));
  // The same name is not the same key.
  setDefaultCACertificates([...before, namesake.authority.certificate]);
  expect(trustAnchor(certificate).unknownRoot).toBe("CN=db.example.org authority");
});
