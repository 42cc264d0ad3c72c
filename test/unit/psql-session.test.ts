import { execFileSync } from "node:child_process";
import { chmod, writeFile } from "node:fs/promises";
import { join } from "node:path";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { SCRIPT, takeMarker } from "../../operations/psql-session/script.ts";
import { temporaryFolder } from "../support/temporary-folder.ts";

describe("S2 how psql gets its secrets", () => {
  test("by descriptors of files without a name; arguments and input stay what they are", async () => {
    const folder = await temporaryFolder();
    const standIn = join(folder, "psql");
    await writeFile(
      standIn,
      `#!/bin/sh
echo "arguments: $*"
echo "password: $(cat /proc/self/fd/3)"
echo "authority: $(cat /proc/self/fd/4 | tr '\\n' ,)"
stat -L -c '%a %h %F' /proc/self/fd/3 /proc/self/fd/4
echo "input: $(cat)"
echo "told: $(tr '\\0' '\\n' < /proc/$$/environ | grep -c 'hunter2')$(tr '\\0' '\\n' < /proc/$$/cmdline | grep -c 'hunter2')"
`,
    );
    await chmod(standIn, 0o755);
    const printed = execFileSync("sh", ["-c", SCRIPT, "psql", "plain", "-At", "two words"], {
      input: "*:*:*:*:hunter2\\:x\nBEGIN\nEND\n.\nselect 1;\n",
      env: { PATH: `${folder}:/usr/bin:/bin` },
      encoding: "utf8",
    });
    const { processId, rest } = takeMarker(Buffer.from(printed));
    expect(processId).toMatch(/^\d+$/);
    expect(rest.toString().trim().split("\n")).toEqual([
      "arguments: -At two words",
      "password: *:*:*:*:hunter2\\:x",
      "authority: BEGIN,END,",
      "600 0 regular file",
      "600 0 regular file",
      "input: select 1;",
      "told: 00",
    ]);
  });

  test("the marker is found wherever the stream is cut, and nothing else is lost", () => {
    fc.assert(
      fc.property(
        fc.nat(99_999),
        fc.string({ unit: "grapheme-ascii" }),
        fc.string(),
        (pid, before, after) => {
          const said = Buffer.from(`${before}\x02${pid}\x03${after}`);
          const whole = takeMarker(said);
          expect(whole.processId).toBe(String(pid));
          expect(whole.rest.toString()).toBe(before + after);
          const cut = said.subarray(0, said.indexOf(3));
          expect(takeMarker(cut)).toEqual({ rest: cut });
        },
      ),
    );
  });
});
