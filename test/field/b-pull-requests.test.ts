import { existsSync, mkdirSync, readdirSync, readFileSync, readlinkSync, realpathSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { parse } from "yaml";
import { changedCode } from "../../cli/preview-change/checkouts.ts";
import { comment } from "../../cli/preview-change/comment.ts";
import { packagesEnvironment, throwAwayEnvironment } from "../../cli/preview-change/environment.ts";
import { PROJECT_DIRECTORY } from "../../toolchain/directories.mjs";
import { temporaryFolder } from "../support/temporary-folder.ts";

const WORKFLOWS = join(PROJECT_DIRECTORY, ".github", "workflows");

interface Workflow {
  readonly on: string | Readonly<Record<string, unknown>>;
  readonly permissions?: Readonly<Record<string, string>>;
  readonly jobs: Readonly<
    Record<
      string,
      {
        readonly permissions?: Readonly<Record<string, string>>;
        readonly steps: readonly {
          readonly uses?: string;
          readonly run?: string;
          readonly with?: Readonly<Record<string, unknown>>;
        }[];
      }
    >
  >;
}

const workflows = readdirSync(WORKFLOWS).map((name) => {
  const text = readFileSync(join(WORKFLOWS, name), "utf8");
  return { name, text, ...(parse(text) as Workflow) };
});

describe("the code of a change gets nothing that it could carry off [B15]", () => {
  const caller = {
    ...{ PATH: "/tools/bin:/usr/bin", LANG: "C.UTF-8", LC_ALL: "C", DOCKER_HOST: "unix:///engine.sock" },
    ...{
      GH_TOKEN: "ghs_1",
      AWS_SECRET_ACCESS_KEY: "aws",
      GOOGLE_APPLICATION_CREDENTIALS: "/k",
      HOME: "/root",
    },
    ...{
      PULUMI_ACCESS_TOKEN: "pul",
      PULUMI_CONFIG_PASSPHRASE_FILE: "/p/.pgstack/passphrase",
      SSH_AUTH_SOCK: "/s",
    },
    ...{
      PGSTACK_STATE_BACKUPS: "/b",
      NODE_COMPILE_CACHE: "/cache",
      NPM_TOKEN: "npm",
      NODE_OPTIONS: "--require=/x",
    },
    ...{ HTTPS_PROXY: "http://proxy.example.com", PULUMI_BACKEND_URL: "s3://live" },
  };

  test("an environment by a list of names, and a home of its own", async () => {
    const folder = await temporaryFolder();
    const live = join(folder, "live", ".pgstack", "pulumi");
    mkdirSync(join(folder, "tools", "plugins"), { recursive: true });
    mkdirSync(live, { recursive: true });
    const environment = await throwAwayEnvironment(folder, {
      ...caller,
      PULUMI_HOME: join(folder, "tools"),
    });
    expect(Object.keys(environment).sort()).toEqual([
      ...[
        "DOCKER_HOST",
        "HOME",
        "LANG",
        "LC_ALL",
        "NO_COLOR",
        "PATH",
        "PGSTACK_OPERATOR",
        "PULUMI_HOME",
        "TMPDIR",
      ],
    ]);
    for (const name of ["HOME", "PULUMI_HOME", "TMPDIR"]) {
      expect(environment[name]).toContain(join(folder, "home"));
      expect(existsSync(environment[name] ?? "")).toBe(true);
    }
    const plugins = readlinkSync(join(environment["PULUMI_HOME"] ?? "", "plugins"));
    expect(plugins).toBe(realpathSync(join(folder, "tools", "plugins")));
    expect(Object.keys(packagesEnvironment(environment, caller))).toContain("HTTPS_PROXY");
    expect(JSON.stringify(packagesEnvironment(environment, caller))).not.toMatch(
      /ghs_1|aws|pul"|npm"|\.pgstack/,
    );
  });

  test("a comment begins with the warning that the change brings code which runs in its preview", () => {
    const names = [
      "policies/index.ts",
      "Pulumi.prod.yaml",
      "docs/a.md",
      "README.md",
      "Pulumi.yaml",
      "test/x.ts",
    ];
    const code = changedCode(`${names.join("\0")}\0`);
    expect(code).toEqual(["policies/index.ts", "Pulumi.yaml"]);
    const [first = ""] = comment("b".repeat(40), "a".repeat(40), [], code).split("\n");
    expect(first).toMatch(
      /^\*\*This branch changes code that runs in this preview\*\* \(`policies\/index\.ts`, `Pulumi\.yaml`\)/,
    );
    expect(comment("b", "a", [], changedCode("Pulumi.prod.yaml\0"))).toMatch(/^### Preview of a on b/);
    expect(comment("b", "a", [], ["a`|<script>.ts"]).split("\n", 1)[0]).not.toMatch(/<script>|[^\\]\|/);
    expect(
      changedCode("package-lock.json\0toolchain/a.mjs\0providers/Pulumi.dev.yaml\0sql/a.sql\0"),
    ).toHaveLength(4);
  });
});

describe("workflows [B15]", () => {
  test("each action is pinned to a commit, and no checkout keeps its credentials", () => {
    for (const { name, jobs } of workflows) {
      for (const { uses, with: given } of Object.values(jobs).flatMap(({ steps }) => steps)) {
        if (uses === undefined) continue;
        expect(uses, name).toMatch(/^[\w-]+\/[\w-]+@[0-9a-f]{40}$/);
        if (uses.startsWith("actions/checkout@")) expect(given?.["persist-credentials"], name).toBe(false);
      }
    }
  });

  test("a token has no right that is not named for its job, and none to write where the code of a change runs", () => {
    for (const { name, on, permissions, jobs } of workflows) {
      expect(permissions, name).toEqual({});
      const ofChange = on === "pull_request" || Object.hasOwn(Object(on), "pull_request");
      for (const { permissions: own = {}, steps } of Object.values(jobs)) {
        if (ofChange) expect(Object.values(own), name).not.toContain("write");
        else
          expect(
            steps.some(({ uses = "", run = "" }) => /checkout@|pgstack|npm|node /.test(uses + run)),
          ).toBe(false);
      }
      expect(Object.hasOwn(Object(on), "pull_request_target"), name).toBe(false);
    }
  });

  test("no text from outside is put into a script; it comes by the environment", () => {
    for (const { name, jobs } of workflows) {
      for (const { run = "" } of Object.values(jobs).flatMap(({ steps }) => steps))
        expect(run, name).not.toContain("${{");
    }
  });
});
