import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { dockerEngine, findVolume } from "../../operations/docker.ts";
import { runAsSuperuser } from "../../operations/superuser.ts";
import { requireMountable } from "../../operations/volume/mountable.ts";
import { provider } from "../../providers/server-configuration.provider.ts";
import { TEST_IMAGE } from "../support/image.ts";
import { LiveStack } from "../support/security/live-stack.ts";
import { temporaryVolume } from "../support/volumes.ts";

const IN_MEMORY = { memoryLimit: "1GB", dataInMemory: "512MB", testSnapshot: "standard" };
const docker = dockerEngine();

let stack: LiveStack;

beforeAll(async () => {
  stack = await LiveStack.bringUp(IN_MEMORY);
});

afterAll(() => stack?.project.remove());

async function expectNoChanges(): Promise<void> {
  const preview = await stack.project.pulumi(["preview", "--refresh", "--expect-no-changes"]);
  expect(preview.code, preview.output).toBe(0);
}

describe("T2 data in memory", () => {
  test("T2 the data is in a file system in memory, the server waits for no disk, nothing is left to change", async () => {
    const volume = await findVolume(docker, `${stack.target.container}-memory`);
    expect(volume?.Options).toMatchObject({
      type: "tmpfs",
      o: "size=512m,mode=1777,nosuid,nodev,noexec,huge=within_size",
    });
    expect((await stack.inside("stat --file-system --format=%T $PGDATA")).trim()).toBe("tmpfs");
    for (const name of [
      "fsync",
      "full_page_writes",
      "synchronous_commit",
      "log_connections",
      "log_disconnections",
    ]) {
      expect(await stack.value(`current_setting('${name}')`), name).toBe("off");
    }
    expect(await stack.value("(SELECT count(*) FROM public.orders)")).toBe("12000");
    await expectNoChanges();
  });

  test("T2 gone when the container stops: up makes it anew, with roles, snapshot and mark", async () => {
    await runAsSuperuser(stack.target, "CREATE TABLE public.kept (n int);", { database: "app" });
    await docker.getContainer(stack.target.container).restart();
    await stack.up();
    expect(await stack.value("to_regclass('public.kept')")).toBeNull();
    expect(await stack.value("(SELECT count(*) FROM public.orders)")).toBe("12000");
    const reset = await stack.project.pgstack(["reset-test"]);
    expect(reset.code, reset.output).toBe(0);
    await expectNoChanges();
  });

  test("T2 another size, or other pages, are another, empty, file system", async () => {
    await stack.change({
      ...IN_MEMORY,
      ...{ memoryLimit: "2GB", dataInMemory: "768MB", dataInMemoryHugePages: "false" },
    });
    const volume = await findVolume(docker, `${stack.target.container}-memory`);
    expect(volume?.Options?.["o"]).toBe("size=768m,mode=1777,nosuid,nodev,noexec");
    expect(await stack.value("(SELECT count(*) FROM public.orders)")).toBe("12000");
    await expectNoChanges();
  });

  test("T2 a kernel that has no huge pages is told at once, with the setting to change", async () => {
    const mounted = (o: string) => ({ type: "tmpfs", device: "tmpfs", o: `size=64m,${o}` });
    const usual = await temporaryVolume(undefined, mounted("huge=within_size"));
    await requireMountable(docker, { volume: usual, imageId: TEST_IMAGE });
    // A kernel without them refuses the option as this one refuses a word that it does not know.
    const refused = await temporaryVolume(undefined, mounted("huge=sometimes"));
    await expect(requireMountable(docker, { volume: refused, imageId: TEST_IMAGE })).rejects.toThrow(
      "pgstack:dataInMemoryHugePages is true, and the kernel of the Docker host has no huge pages for files in memory: set it to false",
    );
  });

  test("T2 a server that is not for tests is refused its fast settings by the operation as well", async () => {
    const inputs = { target: stack.target, environment: "staging", parameters: { fsync: "off" } };
    await expect(provider.update?.("id", inputs as never, inputs as never)).rejects.toThrow(
      "fsync is off, and the server is for staging: a crash would lose data, which test stacks alone may",
    );
  });
});
