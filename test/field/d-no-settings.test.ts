import { randomBytes } from "node:crypto";
import { symlink, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { PROJECT_DIRECTORY } from "../../toolchain/directories.mjs";
import { Checkout } from "../support/checkout.ts";

/** A policy pack that has run, and found nothing. */
const HELD = /Policies:\n +\S+ pgstack@/;
const stack = `shop-${randomBytes(4).toString("hex")}`;

let checkout: Checkout;

beforeAll(async () => {
  checkout = await Checkout.make([stack]);
  await symlink(join(PROJECT_DIRECTORY, "node_modules"), join(checkout.folder, "node_modules"));
});

afterAll(() => checkout?.remove());

/** What a line prints in a shell that has the project's settings. */
function line(command: string): Promise<string> {
  return checkout.line(`eval "$(./pgstack env)"; set -e; ${command}`);
}

describe("a stack that has no settings at all", () => {
  test.each([
    ["an empty file", ""],
    ["a file with an empty config", "config: {}\n"],
  ])("is previewed with %s, held against the policies [D0]", async (_, text) => {
    const name = `${stack}-preview`;
    await writeFile(join(checkout.folder, `Pulumi.${name}.yaml`), text);
    const output = await checkout.line(`npm start -- --stack ${name} --preview`);
    expect(output).toMatch(HELD);
    expect(output).toMatch(/\+ \d+ to create/);
  });

  test("comes up by npm start without a file, and plain pulumi finds it unchanged [D0]", async () => {
    const first = await checkout.line(`npm start -- --stack ${stack}`);
    expect(first).toMatch(HELD);
    expect(first).toMatch(/PostgreSQL is up/);
    const second = await line(`pulumi up --yes --skip-preview --stack ${stack}`);
    expect(second).toMatch(HELD);
    expect(second).not.toMatch(/to create|to replace|created|replaced/);
  });
});
