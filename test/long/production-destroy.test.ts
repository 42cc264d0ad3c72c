import { describe, expect, test } from "vitest";
import { dockerEngine, findVolume } from "../../operations/docker.ts";
import { LiveStack } from "../support/security/live-stack.ts";

describe("L9 production", () => {
  test("L9 F43 a destroy is refused and harms nothing; once allowed it keeps the volumes, and the data comes back", async () => {
    const production = {
      environment: "production",
      memoryLimit: "512MB",
      sharedBuffers: "64MB",
      effectiveCacheSize: "256MB",
    };
    const stack = await LiveStack.bringUp(production);
    const { project: own } = stack;
    try {
      const administrator = await stack.session("administrator");
      await administrator.query("CREATE TABLE kept AS SELECT 42 AS n");
      await administrator.end();
      const started = await stack.startTime();

      for (const options of [[], ["--skip-preview"]]) {
        const refused = await own.pulumi(["destroy", "--yes", ...options]);
        expect(refused.code).not.toBe(0);
        expect(refused.output).toMatch(/protected/);
      }
      expect(await stack.startTime()).toBe(started);
      const preview = await own.pulumi(["preview", "--refresh", "--expect-no-changes"]);
      expect(preview.code, preview.output).toBe(0);

      const refused = await own.configure({ ...production, allowDestroy: true }).then(() => own.up());
      expect(refused.code).not.toBe(0);
      expect(refused.output).toMatch(/allowDestroyUntil permits it for one time/);
      const permitted = { ...production, allowDestroyUntil: new Date(Date.now() + 600_000).toISOString() };
      await stack.change(permitted);
      expect(await stack.startTime()).toBe(started);
      const unproven = await own.pulumi(["destroy", "--yes", "--skip-preview"]);
      expect(unproven.code).not.toBe(0);
      expect(unproven.output).toMatch(
        /nothing was removed: .* a restore has proven within 24 hours, and none was/,
      );
      expect(await stack.startTime()).toBe(started);
      await own.configure({ ...permitted, maxConnections: 50 });
      const changed = await own.up();
      expect(changed.code).not.toBe(0);
      expect(changed.output).toMatch(
        /nothing was changed: .* a restore has proven within 24 hours, and none was/,
      );
      expect(await stack.startTime()).toBe(started);
      await own.configure(permitted);

      expect(await own.pgstack(["drill"])).toMatchObject({ code: 0 });
      // A permission that has ended meanwhile permits nothing more, though the last up has let go of everything.
      const short = { ...production, allowDestroyUntil: new Date(Date.now() + 8_000).toISOString() };
      await stack.change(short);
      await expect
        .poll(() => Date.now() > Date.parse(short.allowDestroyUntil), { timeout: 20_000 })
        .toBe(true);
      const late = await own.pulumi(["destroy", "--yes", "--skip-preview"]);
      expect(late.code).not.toBe(0);
      expect(late.output).toMatch(/production is not destroyed without permission for this one time/);
      expect(await stack.startTime()).toBe(started);
      await stack.change(permitted);
      const destroyed = await own.pulumi(["destroy", "--yes", "--skip-preview"]);
      expect(destroyed.code, destroyed.output).toBe(0);
      const left = await own.things();
      expect(left).toMatchObject({ containers: [], networks: [] });
      expect(left.volumes).toContain(`${own.container}-data`);

      await stack.up();
      expect(await stack.value("(SELECT n FROM public.kept)")).toBe("42");
    } finally {
      await own.remove();
    }
    expect(await findVolume(dockerEngine(), `${own.container}-data`)).toBeUndefined();
  });
});
