import { spawn } from "node:child_process";
import { once } from "node:events";
import { symlink, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { expect, it, onTestFinished } from "vitest";
import { PROJECT } from "../support/settings.ts";
import { temporaryFolder } from "../support/temporary-folder.ts";

const INTERRUPTION = join(PROJECT, "test", "interruption");
const CONFIG = `import { endInOrder } from "${INTERRUPTION}/end-in-order.ts";
export default {
  plugins: [endInOrder()],
  test: { include: ["*.test.ts"], setupFiles: ["${INTERRUPTION}/worker.ts"], testTimeout: 300_000 },
};
`;
const TESTS = `import { writeFileSync } from "node:fs";
import { afterAll, it } from "vitest";
afterAll(() => writeFileSync(1, "put away\\n"));
it("goes on and on", async () => {
  writeFileSync(1, "made\\n");
  await new Promise((resolve) => setTimeout(resolve, 290_000));
});
it("is next", () => writeFileSync(1, "next\\n"));
`;

it.each(["SIGINT", "SIGTERM"] as const)(
  "a test run that is ended by %s puts away what it made, begins no other test, and has not passed",
  async (signal) => {
    const folder = await temporaryFolder();
    await symlink(join(PROJECT, "node_modules"), join(folder, "node_modules"));
    await writeFile(join(folder, "package.json"), JSON.stringify({ type: "module" }));
    await writeFile(join(folder, "vitest.config.ts"), CONFIG);
    await writeFile(join(folder, "one.test.ts"), TESTS);
    const vitest = join(PROJECT, "node_modules", "vitest", "vitest.mjs");
    const run = spawn(process.execPath, [vitest, "run"], {
      cwd: folder,
      detached: true,
      stdio: ["ignore", "pipe", "ignore"],
    });
    onTestFinished(() => {
      run.kill("SIGKILL");
    });
    const lines: string[] = [];
    createInterface(run.stdout).on("line", (line) => {
      lines.push(line);
      // As a terminal does it, and as a program that started it.
      if (line === "made") process.kill(signal === "SIGINT" ? -Number(run.pid) : Number(run.pid), signal);
    });
    const [code] = await once(run, "close");
    expect(lines).toContain("put away");
    expect(lines).not.toContain("next");
    expect(code).not.toBe(0);
  },
);
