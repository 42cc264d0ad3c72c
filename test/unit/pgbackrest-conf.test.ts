import { describe, expect, test } from "vitest";
import {
  type PgbackrestOptions,
  renderPgbackrestConf,
  repositoryNames,
} from "../../operations/pgbackrest-conf.ts";

const BASE: PgbackrestOptions = {
  local: "/backups/pgbackrest",
  dataDirectory: "/var/lib/postgresql/data/current",
  port: 5432,
  socketDirectory: "/var/run/postgresql",
  jobs: 2,
};
const STORAGE = {
  ...{ endpoint: "s3.example.com:9000", bucket: "backups", region: "eu-1", path: "/shop" },
  ...{ key: "K", secret: "S", pathStyle: true, ownAuthority: true },
};

describe("L5 L6 pgbackrest.conf", () => {
  test("L5 a local repository alone", () => {
    const lines = renderPgbackrestConf(BASE).split("\n");
    expect(lines).toContain("repo1-path=/backups/pgbackrest");
    expect(lines).toContain("pg1-path=/var/lib/postgresql/data/current");
    expect(lines.filter((line) => line.startsWith("repo2") || line.includes("cipher"))).toEqual([]);
  });

  test("L4 pgBackRest itself lets no backup go", () => {
    expect(renderPgbackrestConf(BASE)).toContain("repo1-retention-full=9999999\n");
  });

  test("L6 local and object storage side by side, both encrypted", () => {
    const options = { ...BASE, storage: STORAGE, cipherPass: "secret" };
    const text = renderPgbackrestConf(options);
    for (const line of [
      "repo2-type=s3",
      "repo2-s3-endpoint=s3.example.com",
      "repo2-storage-port=9000",
      "repo2-storage-verify-tls=y",
      "repo2-storage-ca-file=/etc/pgstack/storage-authority.pem",
      "repo2-s3-uri-style=path",
      "repo1-cipher-pass=secret",
      "repo2-cipher-type=aes-256-cbc",
    ]) {
      expect(text.split("\n")).toContain(line);
    }
    expect(repositoryNames(options)).toEqual(["local", "s3"]);
  });

  test("L6 object storage alone is the first repository", () => {
    const { local: _, ...without } = BASE;
    expect(renderPgbackrestConf({ ...without, storage: STORAGE })).toContain("repo1-type=s3\n");
    expect(repositoryNames({ storage: STORAGE })).toEqual(["s3"]);
  });

  test("F15 a value that would begin another line is refused", () => {
    const storage = { ...STORAGE, secret: "a\nrepo1-path=/" };
    expect(() => renderPgbackrestConf({ ...BASE, storage })).toThrow("s3-key-secret");
  });
});
