import { beforeAll, describe, expect, test } from "vitest";
import { expectFinished, killedUp } from "../support/killed-up.ts";
import { TestProject } from "../support/project.ts";

/** Milliseconds of a whole first up. */
let whole = 0;

beforeAll(async () => {
  const project = await TestProject.create();
  try {
    const started = performance.now();
    const up = await project.up();
    whole = performance.now() - started;
    expect(up.code, up.output).toBe(0);
  } finally {
    await project.remove();
  }
});

describe("F04 a first up killed at each tenth of its run", () => {
  test.each([1, 2, 3, 4, 5, 6, 7, 8, 9])(
    "F04 P4 at tenth %i: the next up finishes, nothing is left over",
    async (tenth) => {
      const project = await TestProject.create();
      try {
        // An up that was quicker this time has ended by itself; what follows holds for it as well.
        await killedUp(project, { text: "Updating", after: (whole * tenth) / 10 });
        await expectFinished(project);
      } finally {
        await project.remove();
      }
    },
  );
});
