import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { afterAll, afterEach, beforeAll, describe, expect, test } from "vitest";
import { TestProject } from "../support/project.ts";

/** Production as it passes: with backups that leave the host. */
const PRODUCTION = {
  environment: "production",
  memoryLimit: "1GB",
  publish: false,
  backupEncryption: true,
  backupKeepDays: 14,
  backupS3: {
    ...{ endpoint: "s3.example.org", bucket: "backups", key: "KEY", secret: "not-a-real-secret" },
    protection: "versioned",
  },
};
const DAY = 86_400_000;

let project: TestProject;

beforeAll(async () => {
  project = await TestProject.create();
});

afterEach(() => exceptions([]));

afterAll(() => project?.remove());

async function exceptions(list: readonly object[]): Promise<void> {
  await writeFile(join(project.directory, "policies", "exceptions.json"), JSON.stringify(list));
}

async function preview(settings: Readonly<Record<string, unknown>>) {
  await project.configure(settings);
  if (settings["backupS3"] !== undefined) {
    // As an operator does it: keys in plain settings are refused here.
    const path = ["config", "set", "--secret", "--path", "pgstack:backupS3.secret"];
    const set = await project.pulumi(path, { input: "not-a-real-secret" });
    expect(set.code, set.output).toBe(0);
  }
  return await project.pulumi(["preview", "--policy-pack", "policies"]);
}

async function refused(settings: Readonly<Record<string, unknown>>): Promise<string> {
  const ended = await preview(settings);
  expect(ended.code, ended.output).not.toBe(0);
  return ended.output;
}

function inDays(days: number): string {
  return new Date(Date.now() + days * DAY).toISOString().slice(0, 10);
}

describe("G3 the policies, as a preview runs them", () => {
  test.each([
    ["development", { environment: "development" }],
    ["test", { environment: "test", dataInMemory: "64MB", memoryLimit: "1GB", testSnapshot: "standard" }],
    ["staging", { environment: "staging", backupEncryption: true }],
    ["production", PRODUCTION],
  ])("G3 a stack as it should be passes: %s", async (_, settings) => {
    const ended = await preview(settings);
    expect(ended.code, ended.output).toBe(0);
    expect(ended.output).toMatch(/Policies:\n +\S+ pgstack@/);
    expect(ended.output).not.toMatch(/mandatory|advisory/);
  });

  test("G3 B11 backups that the stack's own key can delete are advised against, and pass", async () => {
    const { protection: _, ...backupS3 } = PRODUCTION.backupS3;
    const ended = await preview({ ...PRODUCTION, backupS3 });
    expect(ended.code, ended.output).toBe(0);
    expect(ended.output).not.toContain("mandatory");
    expect(ended.output).toMatch(
      /\[advisory\] +backups-undeletable[\s\S]*set pgstack:backupS3.protection to versioned or locked/,
    );
  });

  test("G3 S4 what is open to everyone is refused, with the reason and the way to mend it", async () => {
    const output = await refused({
      environment: "staging",
      backupEncryption: true,
      publish: true,
      publishPort: 15999,
      publishAddress: "0.0.0.0",
      clientAddresses: ["10.0.0.0/8"],
    });
    expect(output).toMatch(/port-on-own-address/);
    expect(output).toMatch(/port 15999 is published on 0\.0\.0\.0\. To mend it: set pgstack:publishAddress/);
  });

  test("G3 production whose backups stay on the host is refused, but for an exception as long as it lasts", async () => {
    const { backupS3: _, ...onHost } = PRODUCTION;
    expect(await refused(onHost)).toMatch(/no backup leaves the host\. To mend it: set pgstack:backupS3/);
    const exception = { rule: "backups-off-host", stack: project.stack, reason: "the storage comes in May" };
    await exceptions([{ ...exception, until: inDays(10) }]);
    const accepted = await preview(onHost);
    expect(accepted.code, accepted.output).toBe(0);
    await exceptions([{ ...exception, until: inDays(-1) }]);
    const expired = await refused(onHost);
    expect(expired).toMatch(/no backup leaves the host/);
    expect(expired).toMatch(/policies\/exceptions\.json, backups-off-host: it has expired/);
  });
});
