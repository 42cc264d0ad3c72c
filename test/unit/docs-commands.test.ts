import { execFile } from "node:child_process";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { promisify } from "node:util";
import { describe, expect, test } from "vitest";
import { PROJECT_DIRECTORY } from "../../toolchain/directories.mjs";

const PAGES = [
  "operations",
  "backup",
  "upgrade",
  "testing",
  "migrations",
  "environments",
  "policies",
  "security",
  "set-up",
];
const FILES = ["README.md", ...PAGES.map((page) => `docs/${page}.md`)];
/** Commands that have commands below them. */
const FAMILIES = ["audit", "membership", "migrate", "snapshot", "test-db"];
/** From the command's name to the end of the code. */
const CALL = /(?:\.\/)?pgstack((?: --stack \S+)? [a-z][a-z-]*[^`\n#|)"]*)/g;

/** Every call of `pgstack` that a document shows, as its command and options. */
function callsIn(file: string): string[] {
  const text = readFileSync(join(PROJECT_DIRECTORY, file), "utf8");
  const code = [...text.matchAll(/```[a-z]*\n(.*?)```/gs), ...text.matchAll(/`([^`\n]+)`/g)].map(
    ([, one = ""]) => one,
  );
  return code.flatMap((one) => [...one.matchAll(CALL)].map(([, call = ""]) => call.trim()));
}

const calls = [...new Set(FILES.flatMap(callsIn))].filter((call) => !call.startsWith("--stack NAME"));

const helps = new Map<string, Promise<string>>();

/** What a command says of itself; asked once. */
function helpOf(path: readonly string[]): Promise<string> {
  const known = helps.get(path.join(" "));
  if (known !== undefined) return known;
  const main = join(PROJECT_DIRECTORY, "cli", "main.ts");
  const help = promisify(execFile)(process.execPath, [main, ...path, "--help"]).then(({ stdout }) => stdout);
  helps.set(path.join(" "), help);
  return help;
}

describe("P8 the commands that the documents show", () => {
  test("P8 there are many", () => {
    expect(calls.length).toBeGreaterThan(20);
  });

  test.each(calls)("P8 pgstack %s is a command with these options", async (call) => {
    const words = call.replace(/^--stack \S+ /, "").split(/\s+/);
    const [command = "", below = ""] = words;
    const path = FAMILIES.includes(command) && /^[a-z]/.test(below) ? [command, below] : [command];
    const stdout = await helpOf(path);
    expect(stdout).toMatch(new RegExp(`^Usage: pgstack (.*\\b)?${command}\\b`, "m"));
    for (const option of words.filter((word) => /^--[a-z]/.test(word))) {
      expect(stdout).toContain(option.replace(/[=),.;:].*$/, ""));
    }
  });
});
