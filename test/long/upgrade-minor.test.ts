import { randomBytes } from "node:crypto";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { Backups } from "../../agent/metadata.ts";
import { callAgent } from "../../operations/agent.ts";
import { dockerEngine, findContainer } from "../../operations/docker.ts";
import { runAsSuperuser } from "../../operations/superuser.ts";
import { TEST_IMAGE } from "../support/image.ts";
import { LiveStack } from "../support/security/live-stack.ts";

const BACKUP = { backup: true };
const docker = dockerEngine();
const NEXT = { repo: "pgstack-test/postgres", tag: `16-${randomBytes(4).toString("hex")}` };

let stack: LiveStack;

beforeAll(async () => {
  stack = await LiveStack.bringUp(BACKUP);
  const base = await docker.createContainer({ Image: TEST_IMAGE });
  try {
    await base.commit({ ...NEXT, changes: 'LABEL release="next"' });
  } finally {
    await base.remove({ force: true, v: true });
  }
});

afterAll(async () => {
  await stack?.project.remove();
  await docker.getImage(`${NEXT.repo}:${NEXT.tag}`).remove({ force: true });
});

describe("L10 a minor upgrade", () => {
  test("L10 by the image setting: shown by the preview, backed up before, on the same data; and back again", async () => {
    await runAsSuperuser(stack.target, "CREATE TABLE public.kept AS SELECT 42 AS n;", { database: "app" });
    const image = `${NEXT.repo}:${NEXT.tag}`;
    await stack.project.configure({ ...BACKUP, image });
    const preview = await stack.project.pulumi(["preview", "--diff"]);
    expect(preview.code, preview.output).toBe(0);
    expect(preview.output).toMatch(/docker:index\/container:Container/);
    expect(preview.output).toMatch(/pgstack:Backup/);

    for (const settings of [{ ...BACKUP, image }, BACKUP]) {
      await stack.change(settings);
      const wanted = await docker.getImage(settings === BACKUP ? TEST_IMAGE : image).inspect();
      for (const name of [stack.target.container, `${stack.target.container}-agent`]) {
        expect((await findContainer(docker, name))?.Image).toBe(wanted.Id);
      }
      expect(await stack.value("(SELECT n FROM public.kept)")).toBe("42");
      const none = await stack.project.pulumi(["preview", "--refresh", "--expect-no-changes"]);
      expect(none.code, none.output).toBe(0);
    }
    const { entries } = await callAgent<Backups>(stack.target, "list");
    expect(entries.filter(({ label }) => label === "before change")).toHaveLength(2);
  });

  test("L8 the backup before it is over before the agent's files are written anew", async () => {
    const audit = await stack.project.pgstack(["audit", "list", "--lines", "1000", "--json"]);
    const operations = (JSON.parse(audit.stdout) as { operation: string }[])
      .map(({ operation }) => operation)
      .filter((operation) => ["backup.before-change", "backup.configure"].includes(operation));
    expect(operations.slice(-4)).toEqual([
      "backup.before-change",
      "backup.configure",
      "backup.before-change",
      "backup.configure",
    ]);
  });
});
