import { describe, expect, test } from "vitest";
import type { Config } from "../../cli/new-stack.ts";
import { carriedFrom, differences } from "../../cli/promotion/carried.ts";
import { requireSameImage } from "../../cli/promotion/checks.ts";
import type { Stack } from "../../cli/stack.ts";

const DIGEST = `sha256:${"a".repeat(64)}`;
const OTHER = `sha256:${"b".repeat(64)}`;
type Image = NonNullable<Stack["image"]>;

function image(digest: string | undefined): Image {
  const reference = "registry.example.org/postgres:16";
  return {
    ...{ reference, imageId: "sha256:id" },
    pinned: digest === undefined ? "sha256:id" : `registry.example.org/postgres@${digest}`,
  } as Image;
}

const carried = (config: Config, of: Image | undefined) =>
  carriedFrom(config, { image: of, schemaVersion: null } as unknown as Pick<
    Stack,
    "image" | "schemaVersion"
  >);

describe("the image that a promotion carries [A9]", () => {
  test("is the one that was proven to the digest, whatever tag the source's settings name", () => {
    const settings = { "pgstack:image": { value: "registry.example.org/postgres:16", secret: false } };
    const target = { "pgstack:image": { value: "registry.example.org/postgres:16", secret: false } };
    expect(differences(carried(settings, image(DIGEST)), target)).toEqual([
      {
        setting: "image",
        before: "registry.example.org/postgres:16",
        after: `registry.example.org/postgres@${DIGEST}`,
      },
    ]);
  });

  test("is no change where the target has that digest already, and one where it has another", () => {
    const of = (digest: string) => ({
      "pgstack:image": { value: `registry.example.org/postgres@${digest}`, secret: false },
    });
    expect(differences(carried({}, image(DIGEST)), of(DIGEST))).toEqual([]);
    expect(differences(carried({}, image(DIGEST)), of(OTHER))).toMatchObject([{ setting: "image" }]);
  });

  test("is carried by its name where no registry has it", () => {
    expect(carried({}, image(undefined)).get("image")).toBe("registry.example.org/postgres:16");
  });
});

describe("what runs after a promotion [A9]", () => {
  const stack = (digest: string | undefined) => ({ image: image(digest) }) as unknown as Stack;

  test("must be the image that was proven", () => {
    expect(() => requireSameImage(stack(DIGEST), stack(DIGEST))).not.toThrow();
    expect(() => requireSameImage(stack(DIGEST), stack(OTHER))).toThrow(
      `the image is registry.example.org/postgres@${OTHER}, and registry.example.org/postgres@${DIGEST} was proven`,
    );
    expect(() => requireSameImage(stack(DIGEST), {} as Stack)).toThrow(/the image is unknown/);
  });
});
