import { describe, expect, test } from "vitest";
import { parseProof } from "../../operations/first-provision.ts";
import { majorVersionOf, repositoryOf } from "../../operations/image.ts";
import {
  addressesCollide,
  imageProblem,
  isUnproven,
  ownershipProblem,
  portProblem,
  spaceProblem,
  type VolumeState,
  type VolumeWish,
  volumeProblem,
} from "../../operations/preflight/decide.ts";
import { postgresOwner } from "../../operations/volume-files.ts";

const wish: VolumeWish = { stack: "dev", major: 16, adoptDataVolume: false };
const ours: VolumeState = { name: "data", stack: "dev", empty: false, postgresMajor: "16" };
const proof = { stack: "dev", systemIdentifier: "7" };

describe("F05 F49 the data volume", () => {
  const fine: [string, VolumeState | undefined, Partial<VolumeWish>][] = [
    ["none on a first run", undefined, {}],
    ["our own, empty", { name: "data", stack: "dev", empty: true }, {}],
    ["our own, unproven", ours, {}],
    ["our own, half made", { name: "data", stack: "dev", empty: false }, {}],
    ["our own with our cluster", { ...ours, proof }, { systemIdentifier: "7" }],
    ["a stranger's, adopted", { name: "data", empty: false, postgresMajor: "16" }, { adoptDataVolume: true }],
    ["an empty one, adopted", { name: "data", empty: true }, { adoptDataVolume: true }],
    ["our own with a damaged mark", { ...ours, proof: parseProof("{") }, {}],
  ];
  test.each(fine)("F05 %s is fine", (_what, found, change) => {
    expect(volumeProblem(found, { ...wish, ...change })).toBeUndefined();
  });

  const refused: [string, VolumeState | undefined, Partial<VolumeWish>, RegExp][] = [
    ["another stack's", { ...ours, stack: "prod" }, {}, /belongs to stack prod: set pgstack:dataVolumeName/],
    [
      "another stack's, even to adopt",
      { ...ours, stack: "prod" },
      { adoptDataVolume: true },
      /belongs to stack prod/,
    ],
    [
      "a stranger's",
      { name: "data", empty: false, postgresMajor: "16" },
      {},
      /set pgstack:adoptDataVolume to true/,
    ],
    ["an empty one of a stranger", { name: "data", empty: true }, {}, /set pgstack:adoptDataVolume to true/],
    [
      "one of version 15",
      { ...ours, postgresMajor: "15" },
      {},
      /holds PostgreSQL 15 data, and the image PostgreSQL 16/,
    ],
    [
      "one of version 18, adopted",
      { name: "data", empty: false, postgresMajor: "18" },
      { adoptDataVolume: true },
      /holds PostgreSQL 18/,
    ],
    [
      "one with photographs, adopted",
      { name: "data", empty: false },
      { adoptDataVolume: true },
      /no PostgreSQL data/,
    ],
    [
      "one with another stack's database",
      { ...ours, proof: { ...proof, stack: "prod" } },
      {},
      /database of stack prod/,
    ],
    [
      "one with another cluster",
      { ...ours, proof },
      { systemIdentifier: "8" },
      /another cluster \(7\) than stack dev had \(8\)/,
    ],
    [
      "F49 none where there was one",
      undefined,
      { systemIdentifier: "7" },
      /data volume of stack dev is gone/,
    ],
    [
      "F49 an empty one where there was data",
      { name: "data", stack: "dev", empty: true },
      { systemIdentifier: "7" },
      /is empty, but stack dev had data/,
    ],
  ];
  test.each(refused)("F05 %s is refused", (_what, found, change, message) => {
    const problem = volumeProblem(found, { ...wish, ...change });
    expect(problem).toMatch(message);
    expect(problem).not.toContain("\n");
  });

  test("P4 only our own volume without a mark counts as unproven", () => {
    expect(isUnproven(ours, "dev")).toBe(true);
    expect(isUnproven({ ...ours, proof }, "dev")).toBe(false);
    expect(isUnproven({ ...ours, proof: parseProof("") }, "dev")).toBe(false);
    expect(isUnproven({ name: "data", empty: false, postgresMajor: "16" }, "dev")).toBe(false);
    expect(isUnproven({ ...ours, stack: "prod" }, "dev")).toBe(false);
  });
});

describe("P2 S4 F03 the rest", () => {
  test("P2 an image of another major version is refused", () => {
    expect(imageProblem("postgres:18", 18, 16)).toBe(
      "image postgres:18 holds PostgreSQL 18, and pgstack:majorVersion is 16: set pgstack:image to one of PostgreSQL 16",
    );
    expect(imageProblem("postgres:16", 16, 16)).toBeUndefined();
  });

  test("S4 a network of another stack, and one of nobody", () => {
    const of = (labels: Record<string, string> | undefined) =>
      ownershipProblem("network", "net", "networkName", "dev", labels, "pgstack.stack");
    expect(of(undefined)).toBeUndefined();
    expect(of({ "pgstack.stack": "dev" })).toBeUndefined();
    expect(of({ "pgstack.stack": "prod" })).toBe(
      "network net belongs to stack prod: set pgstack:networkName to another name",
    );
    expect(of({})).toBe("network net was not made by this stack: set pgstack:networkName to another name");
  });

  test("F03 the line names the port, and the holder where it is known", () => {
    expect(portProblem("127.0.0.1", 5432, { name: "container web" })).toBe(
      "port 5432 on 127.0.0.1 is in use by container web: set pgstack:publishPort to a free one",
    );
    expect(portProblem("127.0.0.1", 5432, {})).toBe(
      "port 5432 on 127.0.0.1 is in use: set pgstack:publishPort to a free one",
    );
  });

  test("F03 listeners collide on one address and on all addresses", () => {
    expect(addressesCollide("127.0.0.1", "127.0.0.1")).toBe(true);
    expect(addressesCollide("0.0.0.0", "127.0.0.1")).toBe(true);
    expect(addressesCollide("10.0.0.1", "127.0.0.1")).toBe(false);
  });

  test("F06 too little room is told in readable sizes", () => {
    expect(spaceProblem(1_048_576, 536_870_912, "/var/lib/docker")).toBe(
      "/var/lib/docker has 1.0 MB free, and 512 MB are needed: make room on the Docker host",
    );
    expect(spaceProblem(536_870_912, 536_870_912, "/x")).toBeUndefined();
  });
});

describe("P2 images", () => {
  test.each([
    ["postgres", "postgres"],
    ["postgres:16-alpine", "postgres"],
    ["registry.example.org:5000/team/postgres:16", "registry.example.org:5000/team/postgres"],
    ["registry.example.org:5000/postgres", "registry.example.org:5000/postgres"],
    ["postgres:16@sha256:00", "postgres"],
  ])("P2 the repository of %s is %s", (reference, repository) => {
    expect(repositoryOf(reference)).toBe(repository);
  });

  test("P2 the major version is what the image says", () => {
    expect(majorVersionOf(["PATH=/bin", "PG_MAJOR=16", "PG_VERSION=16.14"])).toBe(16);
    expect(majorVersionOf(["PG_VERSION=17.2"])).toBe(17);
    expect(majorVersionOf(["PG_MAJOR="])).toBeUndefined();
  });

  test("S7 the ids of the server's user come from the image, whichever it is built on", () => {
    expect(postgresOwner("root:x:0:0::/root:/bin/sh\npostgres:x:70:70::/var:/bin/sh\n")).toEqual({
      uid: 70,
      gid: 70,
    });
    expect(postgresOwner("postgres:x:999:998::/var:/bin/sh")).toEqual({ uid: 999, gid: 998 });
    expect(postgresOwner("root:x:0:0::/root:/bin/sh")).toBeUndefined();
  });
});
