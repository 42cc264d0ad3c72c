import { mkdir, readdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { withoutRunLogs } from "../../toolchain/environment.mjs";
import { TestProject } from "../support/project.ts";
import { temporaryFolder } from "../support/temporary-folder.ts";

describe("Pulumi's log of each run", () => {
  test("is not kept, and Pulumi says nothing about it", async () => {
    const home = await temporaryFolder();
    await withoutRunLogs(home);
    await withoutRunLogs(home);
    const project = await TestProject.create();
    try {
      const ended = await project.run("pulumi", ["stack", "ls", "--json"], {
        environment: { PULUMI_HOME: home },
      });
      expect([ended.code, ended.stderr]).toEqual([0, ""]);
      expect(ended.stdout).toContain(project.stack);
      expect(await readdir(join(home, "logs")).catch(({ code }) => code)).toBe("ENOTDIR");
    } finally {
      await project.remove();
    }
  });

  test("stays where there is one already", async () => {
    const home = await temporaryFolder();
    await mkdir(join(home, "logs"));
    await writeFile(join(home, "logs", "one.log"), "");
    await withoutRunLogs(home);
    expect(await readdir(join(home, "logs"))).toEqual(["one.log"]);
  });
});
