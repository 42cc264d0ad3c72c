import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { freePort } from "../../cli/preview-change/free-port.ts";
import { LiveStack } from "../support/security/live-stack.ts";
import { CONTAINER_LIMITS, containerAndNetwork, processLimit } from "./security/container.ts";
import { names } from "./security/names.ts";
import { type PublishedSettings, tls } from "./security/published.ts";
import { signIn } from "./security/sign-in.ts";

const SETTINGS = { ...CONTAINER_LIMITS, tls: { mode: "generated", validityDays: 90 } };

let stack: LiveStack;

beforeAll(async () => {
  stack = await LiveStack.bringUp(SETTINGS);
});

afterAll(() => stack?.project.remove());

describe("a stack that publishes no port", () => {
  signIn(() => stack);
  containerAndNetwork(() => stack);
});

describe("the same stack with its port published", () => {
  let published: PublishedSettings;
  let output: string;

  beforeAll(async () => {
    const session = await stack.session("application");
    await session.query("SELECT 1");
    await session.end();
    published = { ...SETTINGS, pidsLimit: 150, publish: true, publishPort: await freePort() };
    ({ output } = await stack.change(published));
  });

  test("S7 another limit of processes is a change, and holds after it", async () => {
    expect(output).toMatch(/Container server .*replac/);
    expect(await processLimit(stack)).toBe("150");
    await (await stack.session("application")).end();
  });

  names(() => stack);
  tls(
    () => stack,
    () => published,
  );
});
