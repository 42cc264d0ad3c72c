import { randomBytes } from "node:crypto";
import { cp } from "node:fs/promises";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { listThings } from "../../operations/stack-things.ts";
import { Checkout } from "../support/checkout.ts";
import { Manual } from "../support/manual.ts";

const stack = `ci-${randomBytes(4).toString("hex")}`;
let checkout: Checkout;

beforeAll(async () => {
  checkout = await Checkout.make([stack]);
  await cp(join(checkout.folder, "Pulumi.ci.yaml"), join(checkout.folder, `Pulumi.${stack}.yaml`));
});

afterAll(() => checkout?.remove());

describe("T4 docs/testing.md, in continuous integration", () => {
  test("T4 a throw-away stack by the two commands around the tests, as they are written; nothing is left", async () => {
    const manual = await Manual.read("testing.md");
    const own = (text: string) => text.replaceAll("--stack ci", `--stack ${stack}`);
    const [start = "", tests = "", destroy = ""] = manual.commands("In continuous integration");
    expect([start, tests]).toEqual(["npm start -- --stack ci", "npm test"]);
    expect(await checkout.line(own(start))).toMatch(/PostgreSQL is up/);
    expect(await checkout.line(own("./pgstack --stack ci reset-test"))).not.toBe("");
    // The mark that policies were run is in what plain pulumi says in such a shell.
    expect(await checkout.line(own('eval "$(./pgstack env)" && pulumi preview --stack ci'))).toMatch(
      /Policies:\s+\S+ pgstack@/,
    );
    expect(await checkout.line(own(destroy))).toMatch(/destroyed|deleted/);
    expect(await listThings(stack)).toEqual({ containers: [], volumes: [], networks: [] });
  }, 900_000);
});
