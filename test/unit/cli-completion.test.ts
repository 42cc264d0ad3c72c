import { execFileSync } from "node:child_process";
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { describe, expect, test } from "vitest";
import { temporaryFolder } from "../support/temporary-folder.ts";

const MAIN = fileURLToPath(new URL("../../cli/main.ts", import.meta.url));

describe("completion", () => {
  const bash = scriptFor("bash");
  const zsh = scriptFor("zsh");

  test.each([
    ["pgstack sta", ["status", "state", "start"]],
    ["pgstack audit ver", ["verify"]],
    ["pgstack --stack dev audit l", ["list"]],
    ["pgstack health --f", ["--full"]],
    ["pgstack connection-info --role ", ["administrator", "application", "readonly"]],
    ["pgstack connection-info --format j", ["json"]],
    ["pgstack status --stack de", ["dev"]],
    ["pgstack completion ", ["bash", "zsh"]],
    ["pgstack --stack st", ["staging"]],
    ["pgstack psql -- --", []],
    ["pgstack logs -n ", []],
  ])("bash completes %j", async (line, words) => {
    const completed = await complete(bash, line);
    if (words.length === 0) expect(completed).toEqual([]);
    else expect(completed.filter((word) => !word.startsWith("-") || line.endsWith("--f"))).toEqual(words);
  });

  test("bash completes every command", async () => {
    const completed = await complete(bash, "pgstack ");
    const commands = completed.filter((word) => !word.startsWith("-"));
    expect(commands).toEqual(
      expect.arrayContaining(["status", "health", "psql", "rotate", "clean", "doctor", "completion"]),
    );
    expect(completed).toContain("--stack");
  });

  test("zsh's script names every command and option", () => {
    expect(zsh).toMatch(/^#compdef pgstack\n/);
    for (const word of [
      "status:",
      "audit:",
      "verify:",
      "--full",
      "--show-secrets",
      "(administrator application readonly)",
    ]) {
      expect(zsh).toContain(word);
    }
    // zsh's quoting of strings is bash's here, and so are functions and case: bash at least parses the like of it.
    const functions = zsh.replaceAll(/\(N:r:e\)/g, "");
    execFileSync("bash", ["-n"], { input: functions });
  });
});

function scriptFor(shell: string): string {
  return execFileSync(process.execPath, [MAIN, "completion", shell], { encoding: "utf8" });
}

/** What bash offers for the last word of a line, in a folder with two stacks. */
async function complete(script: string, line: string): Promise<string[]> {
  execFileSync("bash", ["-n"], { input: script });
  const folder = await temporaryFolder();
  await writeFile(join(folder, "Pulumi.dev.yaml"), "");
  await writeFile(join(folder, "Pulumi.staging.yaml"), "");
  const words = line.split(" ");
  const test = `${script}
COMP_WORDS=("$@") COMP_CWORD=$(($# - 1))
_pgstack
(( \${#COMPREPLY[@]} == 0 )) || printf '%s\\n' "\${COMPREPLY[@]}"`;
  const printed = execFileSync("bash", ["-c", test, "bash", ...words], { encoding: "utf8", cwd: folder });
  return printed.split("\n").filter((word) => word !== "");
}
