import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { dockerEngine } from "../../operations/docker.ts";
import { buildDerivedImage, derivedImageIdentity } from "../../toolchain/image/index.mjs";
import { TEST_IMAGE } from "../support/image.ts";

const docker = dockerEngine();
const socket = (docker.modem as { socketPath?: string }).socketPath ?? "";
let folder: string;
let dockerfile: string;
const log = (): void => {};

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "pgstack-image-"));
  dockerfile = join(folder, "Dockerfile");
});

afterAll(async () => {
  const { reference } = await derivedImageIdentity({ dockerfile });
  await docker
    .getImage(reference)
    .remove({ force: true })
    .catch(() => {});
  await rm(folder, { recursive: true, force: true });
});

describe("P1 P2 the image that is built on another", () => {
  test("P1 the engine builds it; a second time it is there", async () => {
    await writeFile(dockerfile, `FROM ${TEST_IMAGE}\nLABEL test="${folder}"\n`);
    const reference = await buildDerivedImage({ socket, log, dockerfile, pull: false });
    const built = await docker.getImage(reference).inspect();
    expect(built.Config.Labels).toMatchObject({ test: folder, "local.pgstack.agent": "true" });
    const lines: string[] = [];
    await buildDerivedImage({ socket, log: (line: string) => lines.push(line), dockerfile, pull: false });
    expect(lines).toEqual([]);
  });

  test("P1 one that cannot be built: one line with the builder's own words", async () => {
    const broken = join(folder, "Broken");
    await writeFile(broken, `FROM ${TEST_IMAGE}\nRUN echo no room here >&2 && exit 3\n`);
    await expect(buildDerivedImage({ socket, log, dockerfile: broken, pull: false })).rejects.toThrow(
      /^the image \S+ cannot be built: .*returned a non-zero code: 3$/,
    );
  });
});
