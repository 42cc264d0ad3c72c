import { describe, expect, test } from "vitest";
import { dockerEngine } from "../../operations/docker.ts";
import { resolveImage } from "../../operations/image.ts";
import { startRegistry } from "../support/registry.ts";

const docker = dockerEngine();

describe("P2 images of a registry", () => {
  test("P2 a tag is fetched, pinned to its digest, and seen when it moves", async () => {
    const registry = await startRegistry();
    const reference = `${registry.repository}:16`;
    const first = await registry.publish("16", ["PG_MAJOR=16", "PG_VERSION=16.13"]);
    const resolved = await resolveImage(docker, reference);
    expect(resolved).toMatchObject({
      reference,
      digest: first,
      major: 16,
      pinned: `${registry.repository}@${first}`,
    });
    expect(await resolveImage(docker, reference)).toEqual(resolved);

    const second = await registry.publish("16", ["PG_MAJOR=16", "PG_VERSION=16.14"]);
    const unasked = await resolveImage(docker, reference, { askRegistry: false });
    expect(unasked).toEqual(resolved);
    const moved = await resolveImage(docker, reference);
    expect(moved).toMatchObject({ digest: second, pinned: `${registry.repository}@${second}` });
    expect(moved.imageId).not.toBe(resolved.imageId);
  });

  test("P2 what a promotion pinned stays what it is, also when the tag has moved", async () => {
    const registry = await startRegistry();
    await registry.publish("16", ["PG_MAJOR=16", "N=1"]);
    const { pinned, imageId } = await resolveImage(docker, `${registry.repository}:16`);
    await registry.publish("16", ["PG_MAJOR=16", "N=2"]);
    expect(await resolveImage(docker, pinned)).toMatchObject({ pinned, imageId });
  });

  test("P2 without the registry the image that is there is taken, with the same digest", async () => {
    const registry = await startRegistry();
    const reference = `${registry.repository}:16`;
    await registry.publish("16", ["PG_MAJOR=16"]);
    const resolved = await resolveImage(docker, reference);
    await registry.close();
    expect(await resolveImage(docker, reference)).toEqual(resolved);
  });

  test("P2 a registry that does not answer costs no more than its time", async () => {
    const registry = await startRegistry();
    const reference = `${registry.repository}:16`;
    await registry.publish("16", ["PG_MAJOR=16"]);
    const resolved = await resolveImage(docker, reference);
    registry.stall();
    const started = performance.now();
    expect(await resolveImage(docker, reference, { registryTimeoutMilliseconds: 300 })).toEqual(resolved);
    expect(performance.now() - started).toBeLessThan(2_000);
  });

  test("F01 a tag that is not in the registry, a registry that is not there, an image of something else", async () => {
    const registry = await startRegistry();
    await registry.publish("other", ["PATH=/bin"]);
    await expect(resolveImage(docker, `${registry.repository}:15`)).rejects.toThrow(
      /^image 127\.0\.0\.1:\d+\/test:15 cannot be pulled: [^\n]*(unknown|not found)[^\n]*$/,
    );
    await expect(resolveImage(docker, `${registry.repository}:other`)).rejects.toThrow(
      "it must set PG_MAJOR",
    );
    await registry.close();
    await expect(resolveImage(docker, `${registry.repository}:15`)).rejects.toThrow(
      /cannot be pulled: [^\n]*refused/,
    );
  });
});
