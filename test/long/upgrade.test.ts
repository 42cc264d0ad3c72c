import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { dockerEngine } from "../../operations/docker.ts";
import { runAsSuperuser } from "../../operations/superuser.ts";
import { imageOfMajor } from "../support/image.ts";
import { type Ended, onSaying, type TestProject } from "../support/project.ts";
import { LiveStack } from "../support/security/live-stack.ts";
import { Writer } from "../support/writer.ts";

const METHODS = ["logical", "dump"] as const;
type Method = (typeof METHODS)[number];

/** The steps at which something is killed; those that one way does not have are left out for it. */
const STEPS: Readonly<Record<Method, readonly string[]>> = {
  logical: ["copying tables", "analyzing", "closing the old", "carrying over", "comparing", "laying the way"],
  dump: [
    "bringing roles",
    "closing the old",
    "copying the database",
    "analyzing",
    "comparing",
    "laying the way",
  ],
};

let image: string;
const stacks: LiveStack[] = [];

beforeAll(async () => {
  image = await imageOfMajor(18);
});

afterAll(async () => {
  for (const { project } of stacks) await project.remove();
});

describe.each(METHODS)("L10 an upgrade by %s under load", (method) => {
  let old: LiveStack;
  let next: TestProject;
  let writer: Writer;

  beforeAll(async () => {
    old = await LiveStack.bringUp({ backup: true, serverSettings: { wal_level: "logical" } });
    stacks.push(old);
    next = old.project.sibling("n");
    for (const suffix of ["-rehearsal", "-rehearsal-new"]) old.project.sibling(suffix);
    await runAsSuperuser(
      old.target,
      "CREATE TABLE public.big AS SELECT n, md5(n::text) AS t FROM generate_series(1, 200000) n;",
      { database: "app" },
    );
    writer = await Writer.start(old, "written");
    // One rehearsal serves all tries.
    const rehearsed = await old.project.pgstack(["upgrade", "--rehearse", ...words()]);
    if (rehearsed.code !== 0) throw new Error(rehearsed.output);
  }, 300_000);

  afterAll(() => writer?.end());

  function words(): string[] {
    return ["--image", image, "--method", method];
  }

  /** Upgrades, and does something once it tells of a step. */
  function upgradeUntil(step: string, then: (kill: () => void) => unknown): Promise<Ended> {
    const command = ["upgrade", "--into", next.stack, ...words(), "--yes"];
    return old.project.pgstack(command, onSaying(step, then));
  }

  /** The old one is in use within moments, or the new one is: never none, never both. */
  async function expectOneInUse(): Promise<"old" | "new"> {
    let found: "old" | "new" | undefined;
    await expect
      .poll(
        async () => {
          const [one, other] = await Promise.all([isOpen(old), LiveStack.of(next).then(isOpen, () => false)]);
          found = one ? "old" : "new";
          return one !== other;
        },
        { timeout: 60_000, interval: 500 },
      )
      .toBe(true);
    return found ?? "old";
  }

  async function isOpen(stack: LiveStack): Promise<boolean> {
    try {
      const session = await stack.session("application", { connectTimeoutMilliseconds: 2_000 });
      const { rows } = await session.query("SELECT count(*)::int AS n FROM public.written");
      await session.end();
      return rows[0].n > 0;
    } catch {
      return false;
    }
  }

  test.each(STEPS[method])(
    "L10 F22 pgstack is killed at %s: one database is in use",
    { timeout: 300_000 },
    async (step) => {
      const ended = await upgradeUntil(step, (kill) => kill());
      expect(ended.code, ended.output).toBe(-1);
      expect(await expectOneInUse()).toBe("old");
      await writer.progress();
    },
  );

  test.each([
    ["the new stack's agent", () => `${next.container}-agent`],
    ["the new server", () => next.container],
    ["the link between the servers", () => `${next.container}-upgrade-link`],
    ["the old server", () => old.target.container],
  ])(
    "L10 F22 %s is killed while it compares: one database is in use",
    { timeout: 300_000 },
    async (_, name) => {
      const container = dockerEngine().getContainer(name());
      const ended = await upgradeUntil("comparing", async () => {
        await container.kill();
        await container.start();
      });
      expect(await expectOneInUse()).toBe(ended.code === 0 ? "new" : "old");
      if (ended.code === 0) {
        const back = await old.project.pgstack(["upgrade", "--into", next.stack, "--back", "--yes"]);
        expect(back.code, back.output).toBe(0);
      }
      await writer.progress();
    },
  );

  test("L10 what was acknowledged before is there after it, and also on the way back", {
    timeout: 300_000,
  }, async () => {
    const ended = await upgradeUntil("laying the way back", () => {});
    expect(ended.code, ended.output).toBe(0);
    expect(await expectOneInUse()).toBe("new");
    const fresh = await LiveStack.of(next);
    await writer.finishAt(fresh);
    const later = await Writer.start(fresh, "later");
    // A table of the new one alone cannot go back: it is told, and the new one stays in use.
    await later.progress();
    await later.finish();
    const refused = await old.project.pgstack(["upgrade", "--into", next.stack, "--back", "--yes"]);
    expect(refused.code).toBe(1);
    expect(refused.stderr).toMatch(/public\.later is missing/);
    expect(await expectOneInUse()).toBe("new");
    await runAsSuperuser(fresh.target, "DROP TABLE public.later; INSERT INTO public.written VALUES (-1);", {
      database: "app",
    });
    const back = await old.project.pgstack(["upgrade", "--into", next.stack, "--back", "--yes"]);
    expect(back.code, back.output).toBe(0);
    expect(await expectOneInUse()).toBe("old");
    expect(await old.value("EXISTS (SELECT FROM public.written WHERE n = -1)")).toBe("true");
    await writer.finishAt(old);
  });
});
