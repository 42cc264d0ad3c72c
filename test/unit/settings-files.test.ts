import { spawnSync } from "node:child_process";
import { readdirSync, readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { documentation } from "../../settings/documentation.ts";
import { fullReference, shortReference, withSection } from "../../settings/reference.ts";
import { SETTING_KEYS, settingsSchema } from "../../settings/schema.ts";
import { PROJECT, read } from "../support/settings.ts";

// It comes with @pulumi/pulumi, which reads stack files with it as well.
const yaml: { load(text: string): unknown } = createRequire(import.meta.url)("js-yaml");

/** A stack file's config as Pulumi hands it over: texts, lists and maps as JSON. */
function stackConfig(stack: string): Record<string, string> {
  const file = yaml.load(readFileSync(join(PROJECT, `Pulumi.${stack}.yaml`), "utf8"));
  const config = typeof file === "object" && file !== null && "config" in file ? file.config : {};
  return Object.fromEntries(
    Object.entries(config as Record<string, unknown>).map(([key, value]) => [
      key,
      typeof value === "object" ? JSON.stringify(value) : String(value),
    ]),
  );
}

function readStack(stack: string) {
  return read(stackConfig(stack), { stack });
}

describe("G2 stack files", () => {
  it.each(["dev", "ci", "staging", "prod"])(
    "G2 what is in Pulumi.%s.yaml counts, not the stack's name",
    (stack) => {
      const [one, other] = ["firstname", "othername"].map((name) =>
        JSON.stringify(read(stackConfig(stack), { stack: name })).replaceAll(name, "NAME"),
      );
      expect(one).toBe(other);
      const index = readFileSync(join(PROJECT, "index.ts"), "utf8");
      expect(index.match(/getStack\(\)/g)).toHaveLength(1);
      expect(index).not.toMatch(/\bstack\s*[!=]==?|[!=]==?\s*stack\b|switch \(stack\)/);
    },
  );

  it("G2 there is one for each environment, and each is valid", () => {
    const stacks = readdirSync(PROJECT).flatMap(
      (file) => /^Pulumi\.(dev|ci|staging|prod)\.yaml$/.exec(file)?.[1] ?? [],
    );
    expect(stacks.toSorted()).toEqual(["ci", "dev", "prod", "staging"]);
    expect(stacks.map((stack) => readStack(stack).environment).toSorted()).toEqual([
      "development",
      "production",
      "staging",
      "test",
    ]);
  });

  it("S2 none belongs to anybody's passphrase: a fresh clone makes its own", () => {
    for (const stack of ["dev", "ci", "staging", "prod"]) {
      // As git has it: where a stack was brought up, Pulumi has written its salt into the file.
      const { status, stdout } = spawnSync("git", ["show", `:Pulumi.${stack}.yaml`], {
        cwd: PROJECT,
        encoding: "utf8",
      });
      expect(status).toBe(0);
      expect(stdout).toContain("pgstack:");
      expect(stdout).not.toMatch(/^(encryption|secrets)/m);
    }
  });

  it("S4 dev is published on this machine's own address only", () => {
    expect(readStack("dev")).toMatchObject({
      publish: true,
      publishAddress: "127.0.0.1",
      publishPort: 15432,
    });
  });

  it("T4 ci is not published, and so without TLS, small, and in memory", () => {
    expect(readStack("ci")).toMatchObject({
      publish: false,
      tls: { mode: "off" },
      memoryLimit: "1536MB",
      dataInMemory: "1GB",
      allowDestroy: true,
    });
  });

  it.each(["staging", "prod"])("S5 %s has TLS, is not published and stops gracefully", (stack) => {
    const settings = readStack(stack);
    expect(settings.tls.mode).not.toBe("off");
    expect(settings.publish).toBe(false);
    expect(settings.stopGraceSeconds).toBeGreaterThanOrEqual(120);
  });

  it("L9 prod keeps its volumes and refuses to be destroyed", () => {
    expect(readStack("prod")).toMatchObject({ allowDestroy: false, protectVolumes: true });
  });

  it("G2 prod and staging name the same keys, but for sizes and what only production needs", () => {
    const own = new Set([
      "pgstack:allowDestroy",
      "pgstack:protectVolumes",
      "pgstack:publish",
      "pgstack:serverSettings",
    ]);
    const shared = Object.keys(stackConfig("prod")).filter((key) => !own.has(key));
    expect(Object.keys(stackConfig("staging")).toSorted()).toEqual(shared.toSorted());
  });
});

describe("P5 the reference", () => {
  it.each([
    ["docs/settings.md", fullReference()],
    ["README.md", shortReference()],
  ])("P5 %s is up to date (npm run reference)", (file, section) => {
    const text = readFileSync(join(PROJECT, file), "utf8");
    expect(withSection(text, section, file)).toBe(text);
  });

  it("P5 every key is described, in one group, with an example that is valid alone or with its like", () => {
    const reference = fullReference();
    for (const key of SETTING_KEYS) {
      expect(settingsSchema.shape[key].description, key).toMatch(/\.$/);
      expect(reference.split(`| \`${key}\` |`), key).toHaveLength(2);
      const example = yaml.load(documentation.get(settingsSchema.shape[key])?.example ?? "");
      const given = typeof example === "object" ? example : String(example);
      expect(settingsSchema.shape[key].safeParse(given).success, key).toBe(true);
    }
  });

  it("P5 the documented defaults are the real ones", () => {
    const defaults: Readonly<Record<string, unknown>> = { ...read() };
    for (const key of SETTING_KEYS) {
      const [documented = ""] = documentation.get(settingsSchema.shape[key])?.fallback.split(/[,;] /) ?? [];
      const real = defaults[key];
      if (real === undefined) expect(documented, key).toMatch(/^none/);
      if (real === undefined || typeof real === "object" || key === "publishPort" || key === "shmSize")
        continue;
      const words = { "false in production": "true", "true in production": "false" } as Record<
        string,
        string
      >;
      expect((words[documented] ?? documented).replace("<stack>", "demo"), key).toBe(String(real));
    }
  });

  it("P5 a text without markers is refused with the file's name", () => {
    expect(() => withSection("nothing", "x", "README.md")).toThrow(/^README.md must hold the lines/);
  });
});
