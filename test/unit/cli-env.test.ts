import { execFileSync } from "node:child_process";
import { cpSync, mkdirSync, mkdtempSync, realpathSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import fc from "fast-check";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { fishLines, posixLines } from "../../cli/env.ts";
import { SHELL_PROGRAMS } from "../../toolchain/directories.mjs";

/** Anything that an environment can hold. */
const value = fc
  .string({ unit: "binary", maxLength: 40 })
  .map((text) => text.replaceAll("\0", "").toWellFormed());

describe("env", () => {
  test.each(["sh", "bash"])("%s reads back exactly what was meant", (shell) => {
    fc.assert(
      fc.property(fc.array(value, { minLength: 1, maxLength: 20 }), (values) => {
        const variables = values.map((one, index): [string, string] => [`PGSTACK_VALUE_${index}`, one]);
        const read = variables.map(([name]) => `printf '%s\\000' "$${name}"`).join("; ");
        const printed = execFileSync(shell, ["-c", `${posixLines(variables)}${read}`], { encoding: "utf8" });
        expect(printed.split("\0").slice(0, -1)).toEqual(values);
      }),
      { numRuns: 40 },
    );
  });

  test("the tools come in front of PATH, once, however often it is evaluated", () => {
    const lines = posixLines([["PATH", "/tools of mine/bin:/it's/node"]]);
    const script = `PATH=/usr/bin:/bin\n${lines}${lines}printf %s "$PATH"`;
    expect(execFileSync("/bin/sh", ["-c", script], { encoding: "utf8" })).toBe(
      "/tools of mine/bin:/it's/node:/usr/bin:/bin",
    );
  });

  describe("plain pulumi in a shell that has it", () => {
    const POLICIES = "policies=PROJECT/policies";
    let folder: string;

    beforeAll(() => {
      folder = realpathSync(mkdtempSync(join(tmpdir(), "pgstack-env-")));
      for (const name of ["real", "project/toolchain/bin", "project/policies", "elsewhere"])
        mkdirSync(join(folder, name), { recursive: true });
      cpSync(join(SHELL_PROGRAMS, "pulumi"), join(folder, "project/toolchain/bin/pulumi"));
      writeFileSync(join(folder, "project/policies/PulumiPolicy.yaml"), "");
      const program = (name: string, text: string) =>
        writeFileSync(join(folder, name), text, { mode: 0o755 });
      program("real/pulumi", '#!/bin/sh\necho "$*: policies=$PULUMI_OPTION_POLICY_PACK"\n[ "$1" != fail ]\n');
      program("real/node", '#!/bin/sh\necho "saved by $(basename "$1")"\nshift\nexec "$@"\n');
      program("elsewhere/script", "#!/bin/sh\npulumi up --yes\n");
    });

    afterAll(() => rmSync(folder, { recursive: true }));

    function run(command: string, cwd = "project", environment: NodeJS.ProcessEnv = {}): string {
      const path = [join(folder, "project/toolchain/bin"), join(folder, "real"), "/usr/bin", "/bin"].join(
        ":",
      );
      const env = { ...environment, PATH: path };
      return execFileSync("sh", ["-c", command], {
        cwd: join(folder, cwd),
        encoding: "utf8",
        env,
        stdio: ["ignore", "pipe", "inherit"],
      }).replaceAll(join(folder, "project"), "PROJECT");
    }

    test.each([
      ["pulumi --stack X up", "--stack X up"],
      ["pulumi -C . up", "-C . up"],
      ["pulumi --color never up", "--color never up"],
      ["bash -c 'pulumi up'", "up"],
      ["timeout 60 pulumi up", "up"],
      ["../elsewhere/script", "up --yes"],
      ["cd ../elsewhere && pulumi -C ../project up", "-C ../project up"],
      ["env pulumi up --message 'a b'", "up --message a b"],
    ])("%s is held against the policies, and the state is saved [B7]", (command, words) => {
      expect(run(command)).toBe(`saved by pulumi.mjs\n${words}: ${POLICIES}\n`);
    });

    test("what changes nothing goes straight to the program, with its exit code [B7]", () => {
      expect(run("pulumi preview --stack dev")).toBe(`preview --stack dev: ${POLICIES}\n`);
      expect(run("pulumi fail || echo $?")).toBe(`fail: ${POLICIES}\n1\n`);
      expect(run("pulumi", "elsewhere")).toBe(`: ${POLICIES}\n`);
    });

    test("the caller's own choice of a pack stays [B7]", () => {
      const own = { PULUMI_OPTION_POLICY_PACK: "/company/pack" };
      expect(run("pulumi preview", "project", own)).toBe("preview: policies=/company/pack\n");
    });

    test("two checkouts on PATH do not call each other, and a missing program is said [B7]", () => {
      const two = "cp -r ../project ../other && PATH=$PWD/../other/toolchain/bin:$PATH pulumi preview";
      expect(run(two)).toBe(`preview: policies=${folder}/other/policies\n`);
      expect(run("PATH=$PWD/toolchain/bin:/bin:/usr/bin pulumi up 2>&1 || echo $?")).toBe(
        "pulumi: the program is not there: run npm start in PROJECT\n127\n",
      );
    });
  });

  test("fish quotes backslashes and quotes", () => {
    expect(fishLines([["A", "it's \\ here"]])).toBe("set -gx A 'it\\'s \\\\ here'\n");
    expect(fishLines([["PATH", "/a b:/c"]])).toBe("fish_add_path --path --prepend '/a b' '/c'\n");
  });
});
