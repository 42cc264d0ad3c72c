import { afterAll, afterEach, beforeAll, describe, expect, test } from "vitest";
import { dockerEngine, findVolume } from "../../operations/docker.ts";
import { waitUntilReady } from "../../operations/readiness.ts";
import { queryAsSuperuser, runAsSuperuser } from "../../operations/superuser.ts";
import { LABEL_STACK, type Target } from "../../operations/target.ts";
import { readVolumeFile, writeVolumeFiles } from "../../operations/volume-files.ts";
import { TEST_IMAGE } from "../support/image.ts";
import { TestProject } from "../support/project.ts";
import { inside, smallVolume } from "../support/small-volume.ts";
import { errorsOf, writeSql } from "../support/up.ts";
import { removeVolumeQuietly, uniqueName } from "../support/volumes.ts";

const docker = dockerEngine();
const DATA_DIRECTORY = "/var/lib/postgresql/data";
const NO_CHANGES = ["preview", "--refresh", "--expect-no-changes"];
const NOTHING = { containers: [], volumes: [], networks: [] };

let project: TestProject;
let volume: string;

beforeAll(async () => {
  project = await TestProject.create();
});

afterAll(() => project?.remove());

afterEach(async () => {
  await project.pulumi(["destroy", "--refresh=false", "--yes", "--skip-preview"]);
  await removeVolumeQuietly(volume);
});

describe("F05 a volume that is not the stack's", () => {
  test.each([
    [
      "of another major version",
      {},
      { PG_VERSION: "15\n" },
      /holds PostgreSQL 15 data, and the image PostgreSQL 16: set pgstack:image and pgstack:majorVersion/,
    ],
    [
      "of another stack",
      { [LABEL_STACK]: "another" },
      { PG_VERSION: "16\n" },
      /belongs to stack another: set pgstack:dataVolumeName/,
    ],
    [
      "with something else in it",
      {},
      { "notes.txt": "mine" },
      /holds files that are no PostgreSQL data: set pgstack:dataVolumeName/,
    ],
  ])(
    "F05 P4 %s is refused also when it may be adopted: untouched, nothing made",
    async (_which, labels, files, message) => {
      volume = uniqueName("adopted");
      await docker.createVolume({ Name: volume, Labels: labels });
      await writeVolumeFiles(docker, {
        ...{ volume, image: TEST_IMAGE, directory: "", labels: {} },
        files: Object.entries(files).map(([path, content]) => ({ path, content, mode: 0o600 })),
      });
      await project.configure({ dataVolumeName: volume, adoptDataVolume: true });
      const refused = await project.up();
      expect(refused.code).not.toBe(0);
      expect(errorsOf(refused)).toEqual([expect.stringMatching(message)]);
      expect(await project.things()).toEqual(NOTHING);
      for (const [path, content] of Object.entries(files)) {
        expect(String(await readVolumeFile(docker, { volume, image: TEST_IMAGE, path }))).toBe(content);
      }
    },
  );

  test("F02 P4 adopted with a cluster in it: an up that fails leaves it as it was, one that works keeps its data, and so does destroy", async () => {
    volume = uniqueName("adopted");
    await docker.createVolume({ Name: volume });
    await makeCluster(volume);
    await project.configure({ dataVolumeName: volume });
    expect(errorsOf(await project.up())).toEqual([
      expect.stringMatching(/set pgstack:adoptDataVolume to true/),
    ]);

    const broken = await writeSql(
      project,
      "broken.sql",
      "CREATE TABLE public.half ();\nSELECT * FROM nowhere;\n",
    );
    await project.configure({ dataVolumeName: volume, adoptDataVolume: true, initSql: [broken] });
    const failed = await project.up();
    expect(failed.code).not.toBe(0);
    expect(failed.output).toContain("init SQL sql/broken.sql, line 2");
    expect((await project.things()).containers).toEqual([]);
    expect(await findVolume(docker, volume)).toBeDefined();

    await project.configure({ dataVolumeName: volume, adoptDataVolume: true });
    const done = await project.up();
    expect(done.code, done.output).toBe(0);
    expect(await queryAsSuperuser(project.target, "SELECT n FROM public.old_rows")).toEqual([{ n: 7 }]);
    expect((await project.pulumi(NO_CHANGES)).code).toBe(0);

    expect((await project.pulumi(["destroy", "--yes", "--skip-preview"])).code).toBe(0);
    expect(await project.things()).toEqual(NOTHING);
    expect(String(await readVolumeFile(docker, { volume, image: TEST_IMAGE, path: "PG_VERSION" }))).toBe(
      "16\n",
    );
  });
});

describe("F06 no room", () => {
  test("F06 a server that fills its disk recovers by itself with the room held back, health tells, and a restart holds it back again", async () => {
    volume = uniqueName("small");
    const holder = await smallVolume(volume, "260m");
    try {
      await project.configure({ dataVolumeName: volume, adoptDataVolume: true, ballastMegabytes: 32 });
      const first = await project.up();
      expect(first.code, first.output).toBe(0);
      const ballast = () => inside(holder, "stat -c %s /data/ballast 2>/dev/null || echo none");
      expect((await ballast()).trim()).toBe(String(32 * 1024 ** 2));
      await runAsSuperuser(project.target, "CREATE TABLE public.kept AS SELECT 42 AS n", { database: "app" });
      await inside(holder, "cat /dev/zero >/data/filler 2>/dev/null");

      // The write-ahead log finds no room for its next segment: the server ends, and starts again.
      const fill =
        "SELECT pg_logical_emit_message(false, 'fill', repeat('x', 1000000)) FROM generate_series(1, 300)";
      await expect(runAsSuperuser(project.target, `${fill};`)).rejects.toThrow();
      await expect.poll(ballast, { timeout: 60_000 }).toBe("none\n");
      await waitUntilReady(project.target, { timeoutSeconds: 60 });
      const kept = "SELECT n FROM public.kept";
      expect(await queryAsSuperuser(project.target, kept, { database: "app" })).toEqual([{ n: 42 }]);
      const told = await project.pgstack(["health", "--json"]);
      expect(told.stdout).toContain("the room held back is used up: make room");

      await inside(holder, "rm /data/filler");
      await docker.getContainer(project.container).restart();
      await waitUntilReady(project.target, { timeoutSeconds: 60 });
      expect((await ballast()).trim()).toBe(String(32 * 1024 ** 2));
      expect((await project.pgstack(["health", "--json"])).stdout).not.toContain("used up");
    } finally {
      await holder.remove({ force: true, v: true });
    }
  });

  test("F06 a full data volume at start: up fails and says so; with room again the next up finds all data", async () => {
    volume = uniqueName("small");
    const holder = await smallVolume(volume, "120m");
    try {
      await project.configure({ dataVolumeName: volume, adoptDataVolume: true });
      const first = await project.up();
      expect(first.code, first.output).toBe(0);
      await runAsSuperuser(project.target, "CREATE TABLE public.kept AS SELECT 42 AS n");
      // A server that was killed may find room for a while; one that was stopped needs some for its lock file.
      await docker.getContainer(project.container).stop();
      await inside(holder, "cat /dev/zero >/data/filler 2>/dev/null");

      const failed = await project.up();
      expect(failed.code).not.toBe(0);
      expect(errorsOf(failed)).toEqual(
        expect.arrayContaining([expect.stringMatching(/No space left on device/)]),
      );
      expect(failed.output).not.toMatch(/\n\s+at .+:\d+/);

      await inside(holder, "rm /data/filler");
      const mended = await project.up();
      expect(mended.code, mended.output).toBe(0);
      expect(await queryAsSuperuser(project.target, "SELECT n FROM public.kept")).toEqual([{ n: 42 }]);
    } finally {
      await holder.remove({ force: true, v: true });
    }
  });
});

/** A cluster as somebody may have made it before, with a row in it. */
async function makeCluster(name: string): Promise<void> {
  const container = await docker.createContainer({
    name: uniqueName("old"),
    Image: TEST_IMAGE,
    User: "postgres",
    Env: [`PGDATA=${DATA_DIRECTORY}`, "POSTGRES_HOST_AUTH_METHOD=trust"],
    HostConfig: { NetworkMode: "none", Mounts: [{ Type: "volume", Source: name, Target: DATA_DIRECTORY }] },
  });
  try {
    await container.start();
    const target: Target = { stack: name, container: container.id, port: 5432, database: "postgres" };
    await waitUntilReady(target, { timeoutSeconds: 60 });
    await runAsSuperuser(target, "CREATE TABLE public.old_rows AS SELECT 7 AS n", { role: "postgres" });
    await container.stop();
  } finally {
    await container.remove({ force: true, v: true });
  }
}
