import { spawn } from "node:child_process";
import { existsSync } from "node:fs";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { ADDRESS_VARIABLE } from "./client.ts";

const LONGEST_START_MILLISECONDS = 120_000;

/**
 * Serves databases for the time of a run of vitest: `globalSetup: ["pgstack-vitest/global-setup"]`. The variable PGSTACK
 * names the program (default `pgstack`), PGSTACK_STACK the stack (default `ci`).
 *
 * @returns What ends the service.
 */
export default async function setup(): Promise<() => Promise<void>> {
  if (process.env[ADDRESS_VARIABLE]) return async () => {};
  const folder = await mkdtemp(join(tmpdir(), "pgstack-test-db-"));
  const file = join(folder, "address.json");
  const [program = "pgstack", ...words] = (process.env.PGSTACK || "pgstack").split(" ");
  const stack = process.env.PGSTACK_STACK || "ci";
  const service = spawn(program, [...words, "--stack", stack, "test-db", "serve", "--address-file", file], {
    stdio: ["ignore", "inherit", "pipe"],
  });
  let said = "";
  service.stderr.on("data", (piece) => {
    said += String(piece);
  });
  const ended = new Promise<void>((resolve) => service.once("close", () => resolve()));
  const deadline = Date.now() + LONGEST_START_MILLISECONDS;
  while (!existsSync(file)) {
    if (service.exitCode !== null || Date.now() > deadline) {
      service.kill();
      throw new Error(`pgstack test-db serve did not start: ${said.trim()}`);
    }
    await delay(20);
  }
  process.env[ADDRESS_VARIABLE] = file;
  return async () => {
    service.kill("SIGTERM");
    await ended;
    await rm(folder, { recursive: true, force: true });
  };
}
