import { generateKeyPairSync } from "node:crypto";
import { chmod, mkdir, rm, symlink, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { beforeAll, describe, expect, test } from "vitest";
import { readCertificateFiles } from "../../operations/certificate-files.ts";
import { type IssuedCertificates, issueCertificates } from "../../operations/certificates.ts";
import { UserError } from "../../operations/user-error.ts";
import { temporaryFolder } from "../support/temporary-folder.ts";

const DOMAIN = "db.example.org";
const DAY = 86_400_000;
let good: IssuedCertificates;
let other: IssuedCertificates;

beforeAll(async () => {
  const request = { commonName: DOMAIN, names: [DOMAIN], addresses: [] };
  [good, other] = await Promise.all([issueCertificates(request), issueCertificates(request)]);
});

interface Content {
  readonly certificate?: string;
  readonly key?: string;
  readonly keyMode?: number;
}

async function folderWith(content: Content = {}): Promise<{ root: string; folder: string }> {
  const root = await temporaryFolder();
  const folder = join(root, DOMAIN);
  await mkdir(folder);
  await writeFile(join(folder, "fullchain.pem"), content.certificate ?? good.certificate);
  await writeFile(join(folder, "privkey.pem"), content.key ?? good.key);
  await chmod(join(folder, "privkey.pem"), content.keyMode ?? 0o600);
  return { root, folder };
}

describe("S5 certificates from a shared folder", () => {
  test("S5 a good pair is read, also through links, with its chain", async () => {
    const { root, folder } = await folderWith({ certificate: good.certificate + good.authority.certificate });
    const archive = join(root, "archive");
    await mkdir(archive);
    await symlink(join(folder, "fullchain.pem"), join(archive, "fullchain.pem"));
    await symlink(join(folder, "privkey.pem"), join(archive, "privkey.pem"));
    await symlink("archive", join(root, "linked.example.org"));
    const read = await readCertificateFiles(root, DOMAIN);
    expect(read).toMatchObject({ key: good.key, fingerprint: good.fingerprint });
    expect(Math.abs(Date.parse(read.notAfter) - Date.parse(good.notAfter))).toBeLessThan(1_000);
    await expect(readCertificateFiles(root, "linked.example.org")).rejects.toThrow(
      "is not for linked.example.org",
    );
  });
});

describe("S5 F10 F11 F12 refusals", () => {
  const encrypted = generateKeyPairSync("ec", {
    namedCurve: "P-256",
    publicKeyEncoding: { type: "spki", format: "pem" },
    privateKeyEncoding: { type: "pkcs8", format: "pem", cipher: "aes-256-cbc", passphrase: "x" },
  }).privateKey;
  const short = generateKeyPairSync("rsa", {
    modulusLength: 1_024,
    publicKeyEncoding: { type: "spki", format: "pem" },
    privateKeyEncoding: { type: "pkcs8", format: "pem" },
  }).privateKey;

  const table: [string, () => Content, RegExp][] = [
    [
      "F10 a key of another certificate",
      () => ({ key: other.key }),
      /key \S+privkey.pem does not belong to certificate/,
    ],
    ["F12 a key that all may read", () => ({ keyMode: 0o644 }), /mode 0644\): chmod 0600 is right/],
    ["F12 a key that a group may write", () => ({ keyMode: 0o660 }), /mode 0660\): chmod 0600 is right/],
    ["S5 an empty certificate", () => ({ certificate: "" }), /fullchain.pem is empty/],
    ["S5 an empty key", () => ({ key: " \n" }), /privkey.pem is empty/],
    ["S5 a certificate that is none", () => ({ certificate: "hello" }), /not a certificate in PEM format/],
    ["S5 a key that is none", () => ({ key: good.certificate }), /not a private key in PEM format/],
    ["S5 an encrypted key", () => ({ key: encrypted }), /privkey.pem is encrypted/],
    [
      "S5 a key encrypted in the old form",
      () => ({
        key: "-----BEGIN RSA PRIVATE KEY-----\nProc-Type: 4,ENCRYPTED\n\nAA==\n-----END RSA PRIVATE KEY-----\n",
      }),
      /privkey.pem is encrypted/,
    ],
    [
      "S5 a damaged certificate",
      () => ({ certificate: good.certificate.replace(/\n.{40}/, `\n${"A".repeat(40)}`) }),
      /certificate number 1 is damaged/,
    ],
    [
      "S5 a damaged key",
      () => ({ key: "-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n" }),
      /privkey.pem cannot be read: it is damaged/,
    ],
    ["S5 a short RSA key", () => ({ key: short }), /shorter than 2048 bits/],
    [
      "S5 a chain that begins with the authority",
      () => ({ certificate: good.authority.certificate + good.certificate }),
      /chain out of order: number 1 .* is not signed by number 2/,
    ],
    [
      "S5 a chain with another authority",
      () => ({ certificate: good.certificate + other.authority.certificate }),
      /chain out of order/,
    ],
    [
      "S5 a certificate given twice",
      () => ({ certificate: good.certificate.repeat(2) }),
      /chain out of order/,
    ],
  ];
  test.each(table)("%s", async (_what, content, message) => {
    const { root } = await folderWith(content());
    const attempt = readCertificateFiles(root, DOMAIN);
    await expect(attempt).rejects.toThrow(message);
    await expect(attempt).rejects.toBeInstanceOf(UserError);
  });

  test("F11 an expired certificate, and one that is not yet valid", async () => {
    const { root } = await folderWith();
    const end = Date.parse(good.notAfter);
    await expect(readCertificateFiles(root, DOMAIN, new Date(end + 2_000))).rejects.toThrow(/expired on 20/);
    await expect(readCertificateFiles(root, DOMAIN, new Date(end - 400 * DAY))).rejects.toThrow(
      /not yet valid: it begins on 20/,
    );
  });

  test("S5 what is missing is named", async () => {
    const { root, folder } = await folderWith();
    await expect(readCertificateFiles(root, "no.example.org")).rejects.toThrow(
      /certificate \S+no.example.org\/fullchain.pem does not exist/,
    );
    await rm(join(folder, "privkey.pem"));
    await expect(readCertificateFiles(root, DOMAIN)).rejects.toThrow(/key \S+privkey.pem does not exist/);
    await symlink("privkey.pem", join(folder, "privkey.pem"));
    await expect(readCertificateFiles(root, DOMAIN)).rejects.toThrow(/a link that leads to itself/);
    await rm(join(folder, "fullchain.pem"));
    await mkdir(join(folder, "fullchain.pem"));
    await expect(readCertificateFiles(root, DOMAIN)).rejects.toThrow(/fullchain.pem is not a file/);
  });

  test("S5 a file that this user may not read is named", async () => {
    const { root, folder } = await folderWith();
    await chmod(root, 0o755);
    await chmod(join(folder, "privkey.pem"), process.getuid?.() === 0 ? 0o600 : 0o000);
    const attempt = asNobody(() => readCertificateFiles(root, DOMAIN));
    await expect(attempt).rejects.toThrow(/key \S+privkey.pem cannot be read by this user/);
  });

  test("S5 a file far too large is not read", async () => {
    const { root } = await folderWith({ certificate: "x".repeat(2_000_000) });
    await expect(readCertificateFiles(root, DOMAIN)).rejects.toThrow(
      /2000000 bytes long, which no certificate is/,
    );
  });

  test("S5 a certificate for another name", async () => {
    const { root, folder } = await folderWith();
    await symlink(folder, join(root, "wrong.example.org"));
    await expect(readCertificateFiles(root, "wrong.example.org")).rejects.toThrow(
      /is not for wrong.example.org but for DNS:db.example.org/,
    );
  });

  test.each(["..", "../x", "a/b", "", ".hidden", "a\nb", "-x", "a..b"])(
    "F15 the domain %j is refused",
    async (domain) => {
      const { root } = await folderWith();
      await expect(readCertificateFiles(root, domain)).rejects.toThrow(/is not a domain/);
    },
  );
});

/** Root may read everything, so it steps down for the time of the work. */
async function asNobody<T>(work: () => Promise<T>): Promise<T> {
  if (process.getuid?.() !== 0) return await work();
  process.seteuid?.(65_534);
  try {
    return await work();
  } finally {
    process.seteuid?.(0);
  }
}
