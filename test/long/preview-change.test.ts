import { readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { dockerEngine } from "../../operations/docker.ts";
import { TestProject } from "../support/project.ts";
import { Repository } from "../support/repository.ts";

const SETTINGS = {
  environment: "staging",
  ...{
    memoryLimit: "512MB",
    sharedBuffers: "64MB",
    backup: true,
    backupEncryption: true,
    ballastMegabytes: 0,
  },
};

let project: TestProject;
let repository: Repository;
let base: string;

beforeAll(async () => {
  project = await TestProject.create();
  await settings(SETTINGS);
  repository = await Repository.make(project, ["comment.md"]);
  base = await repository.commit();
});

afterAll(() => project?.remove());

/** Settings of the stack that the changes are about; no stack of that name is ever brought up. */
async function settings(all: Readonly<Record<string, unknown>>): Promise<void> {
  const lines = Object.entries(all).map(([key, value]) => `  pgstack:${key}: ${JSON.stringify(value)}`);
  await writeFile(join(project.directory, "Pulumi.shop.yaml"), ["config:", ...lines, ""].join("\n"));
}

/** The comment on a change of the settings, and how the command ended. */
async function commentOn(
  all: Readonly<Record<string, unknown>>,
  environment: Readonly<Record<string, string>> = {},
): Promise<{ code: number; text: string }> {
  await settings(all);
  await repository.commit();
  const words = ["preview-change", "--base", base, "--stacks", "shop", "--output", "comment.md"];
  // Nothing of a live environment: neither its state nor its passphrase.
  const ended = await project.pgstack(words, {
    environment: { PULUMI_BACKEND_URL: "file:///nonexistent", PULUMI_CONFIG_PASSPHRASE: "", ...environment },
  });
  const text = await readFile(join(project.directory, "comment.md"), "utf8").catch(() => ended.output);
  return { code: ended.code, text };
}

async function throwAways(): Promise<string[]> {
  const containers = await dockerEngine().listContainers({ all: true });
  return containers.flatMap(({ Names }) => Names).filter((name) => name.startsWith("/pgstack-preview-"));
}

describe("G4 preview of a change, on real commits", () => {
  test("G4 harmless: a changed setting, no flag, no downtime", async () => {
    const { code, text } = await commentOn({
      ...SETTINGS,
      serverSettings: { log_min_duration_statement: "1s" },
    });
    expect(code, text).toBe(0);
    expect(text).toMatch(/#### shop: \d+ changes\n\n\| \| \| resource/);
    expect(text).toMatch(/\| update \| `server-configuration` \|/);
    expect(text).toContain("Downtime: none; connections stay.");
    expect(text).not.toMatch(/\*\*(data at risk|deletion|replacement)\*\*/);
    expect(text).toMatch(/<details><summary>The whole preview<\/summary>/);
  });

  test("G4 replacing: the server starts anew, with the time that takes here", async () => {
    const { code, text } = await commentOn({ ...SETTINGS, port: 5433 });
    expect(code, text).toBe(0);
    expect(text).toMatch(/- \*\*replacement\*\*: .*`server`/);
    expect(text).toMatch(/Downtime: the server starts anew, connections end; about \d+ s here\./);
  });

  test("G4 destructive: a volume goes, told before anything else", async () => {
    const { code, text } = await commentOn({ ...SETTINGS, dataVolumeName: "another-volume" });
    expect(code, text).toBe(0);
    expect(text).toMatch(/#### shop: .*\n\n- \*\*data at risk\*\*: `volume`/);
  });

  test("G4 refused by a policy, and failing: told with the words, and exit code 1", async () => {
    const open = {
      publish: true,
      publishPort: 15998,
      publishAddress: "0.0.0.0",
      clientAddresses: ["10.0.0.0/8"],
    };
    const refused = await commentOn({ ...SETTINGS, ...open });
    expect(refused.code, refused.text).toBe(1);
    expect(refused.text).toMatch(
      /#### shop: refused by the policies\n\n.*- \*\*policy\*\* `port-on-own-address` \(mandatory\)/s,
    );
    const protectedKey = await commentOn({ ...SETTINGS, backupEncryption: false });
    expect(protectedKey.code, protectedKey.text).toBe(1);
    expect(protectedKey.text).toMatch(/- \*\*fails\*\*: .*open with the present key alone/);
    const failing = await commentOn({ ...SETTINGS, maxConnections: 0 });
    expect(failing.code, failing.text).toBe(1);
    expect(failing.text).toMatch(
      /#### shop: fails\n\n- \*\*fails\*\*: pgstack:maxConnections is "0"; it must be/,
    );
  });

  test("a change's own code sees no credential of the caller, and the comment begins with a warning [B15]", async () => {
    const file = join(project.directory, "index.ts");
    const before = await readFile(file, "utf8");
    const spy = `throw new Error("SEEN " + Object.keys(process.env).sort().join(" ") + " " + process.env["HOME"]);\n`;
    await writeFile(file, `${before}${spy}`);
    try {
      const { code, text } = await commentOn(SETTINGS, {
        GH_TOKEN: "secret",
        AWS_SECRET_ACCESS_KEY: "secret",
      });
      expect(code, text).toBe(1);
      expect(text).toMatch(/^\*\*This branch changes code that runs in this preview\*\* \(`index\.ts`\)/);
      const [, seen = ""] = /SEEN (.*)/.exec(text) ?? [];
      expect(seen).toMatch(/\bDOCKER_HOST\b.* \/\S*pgstack-preview-\w+\/home/);
      expect(seen).not.toMatch(/GH_TOKEN|AWS_|PASSPHRASE_FILE|NODE_COMPILE_CACHE|PULUMI_ACCESS/);
    } finally {
      await writeFile(file, before);
    }
  });

  test("G4 nothing is left of it, and what git does not know is refused", async () => {
    expect(await throwAways()).toEqual([]);
    expect(await repository.git("worktree", "list")).not.toMatch(/preview/);
    const unknown = await project.pgstack(["preview-change", "--base", "nowhere", "--stacks", "shop"]);
    expect([unknown.code, unknown.stderr]).toEqual([
      1,
      'pgstack: --base "nowhere": git knows no such commit here\n',
    ]);
  });
});
