import { readFileSync } from "node:fs";
import { join } from "node:path";
import { beforeAll, describe, expect, test } from "vitest";
import { PROJECT_DIRECTORY } from "../../toolchain/directories.mjs";
import { helpOfCommands } from "../support/command-help.ts";

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

describe("P8 the commands that the documents show", () => {
  let helps: ReadonlyMap<string, string>;

  beforeAll(async () => {
    helps = await helpOfCommands();
  });

  test("P8 there are many", () => {
    expect(calls.length).toBeGreaterThan(20);
  });

  test.each(calls)("P8 pgstack %s is a command with these options", (call) => {
    const words = call.replace(/^--stack \S+ /, "").split(/\s+/);
    const [command = "", below = ""] = words;
    const path = FAMILIES.includes(command) && /^[a-z]/.test(below) ? [command, below] : [command];
    const help = helps.get(path.join(" "));
    expect(help).toMatch(new RegExp(`^Usage: pgstack (.*\\b)?${command}\\b`, "m"));
    for (const option of words.filter((word) => /^--[a-z]/.test(word))) {
      expect(help).toContain(option.replace(/[=),.;:].*$/, ""));
    }
  });
});
