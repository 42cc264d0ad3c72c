import { execFileSync } from "node:child_process";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { fishLines, POSIX_PULUMI, posixLines } from "../../cli/env.ts";

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

  test.each(["sh", "bash"])(
    "G3 in %s plain pulumi is held against the policies, in this project and where it changes things",
    (shell) => {
      const folder = mkdtempSync(join(tmpdir(), "pgstack-env-"));
      try {
        mkdirSync(join(folder, "policies"));
        writeFileSync(join(folder, "pulumi"), '#!/bin/sh\necho "$@"\n[ "$1" != up ]\n', { mode: 0o755 });
        writeFileSync(join(folder, "node"), '#!/bin/sh\necho "saved by $1"\n', { mode: 0o755 });
        const run = (command: string) =>
          execFileSync(shell, ["-euc", `PATH="$PWD:$PATH"\n${POSIX_PULUMI}${POSIX_PULUMI}${command}`], {
            cwd: folder,
            encoding: "utf8",
          });
        expect(run("pulumi up --stack 'a b' || true")).toBe("up --stack a b\n");
        writeFileSync(join(folder, "policies", "PulumiPolicy.yaml"), "");
        const saved = "saved by toolchain/save-states.mjs\n";
        expect(run("pulumi up --stack dev || echo $?; pulumi preview; pulumi destroy; pulumi")).toBe(
          `${saved}up --stack dev --policy-pack policies\n${saved}1\npreview --policy-pack policies\n${saved}destroy\n${saved}\n`,
        );
      } finally {
        rmSync(folder, { recursive: true });
      }
    },
  );

  test("fish quotes backslashes and quotes", () => {
    expect(fishLines([["A", "it's \\ here"]])).toBe("set -gx A 'it\\'s \\\\ here'\n");
    expect(fishLines([["PATH", "/a b:/c"]])).toBe("fish_add_path --path --prepend '/a b' '/c'\n");
  });
});
