import * as pulumi from "@pulumi/pulumi";
import { describe, expect, test } from "vitest";
import { UserError } from "../../operations/user-error.ts";
import { providerLoader } from "../../providers/operation-resource.ts";
import { changedInputs, dynamicProvider } from "../../providers/provider.ts";

interface Inputs {
  readonly name: string;
  readonly size: number;
}

describe("G5 dynamic provider", () => {
  const provider = dynamicProvider<Inputs, { readonly made: string }>({
    replacedBy: ["name"],
    create: async ({ name }) => {
      if (name === "") throw new UserError("name must not be empty");
      return { id: name, results: { made: "today" } };
    },
    update: async () => ({ made: "again" }),
    drift: async (_inputs, state) => (state.made === "by hand" ? ["size was changed"] : []),
    exists: async ({ name }) => name !== "gone",
    guard: async ({ name }) => {
      if (name === "lost") throw new UserError("the volume is gone");
    },
  });
  const state = { name: "one", size: 1, made: "today" };

  test("keeps inputs and results as the state", async () => {
    expect(await provider.create({ name: "one", size: 1 })).toEqual({ id: "one", outs: state });
  });

  test("P3 sees no change where inputs and world are as the state says", async () => {
    expect(await provider.diff?.("one", state, { name: "one", size: 1 })).toEqual({ changes: false });
  });

  test("tells a changed input from one that makes another thing", async () => {
    expect(await provider.diff?.("one", state, { name: "one", size: 2 })).toEqual({
      changes: true,
      replaces: [],
    });
    expect(await provider.diff?.("one", state, { name: "two", size: 1 })).toEqual({
      changes: true,
      replaces: ["name"],
    });
  });

  test("F13 takes drift of the world for a change", async () => {
    const drifted = await provider.diff?.("one", { ...state, made: "by hand" }, { name: "one", size: 1 });
    expect(drifted).toEqual({ changes: true });
  });

  test("F08 lets what is gone leave the state at a refresh", async () => {
    expect((await provider.read?.("gone", { ...state, name: "gone" }))?.id).toBe("");
    expect((await provider.read?.("one", state))?.id).toBe("one");
  });

  test("F49 ends a refresh when the guard refuses", async () => {
    await expect(provider.read?.("lost", { ...state, name: "lost" })).rejects.toThrow("the volume is gone");
  });

  test("shows a user's error without a stack", async () => {
    const error: unknown = await provider.create({ name: "", size: 1 }).catch((reason: unknown) => reason);
    expect(error).toBeInstanceOf(UserError);
    expect((error as UserError).stack).toBe("");
  });
});

describe("G5 changed inputs", () => {
  test("compares deeply and leaves out the provider's own text", () => {
    const olds = { target: { port: 5432 }, __provider: "before" };
    expect(changedInputs(olds, { target: { port: 5432 }, __provider: "after" })).toEqual([]);
    expect(changedInputs(olds, { target: { port: 5433 } })).toEqual(["target"]);
  });

  test("counts a value that is not known yet as changed", () => {
    const unknown = { ids: ["04da6b54-80e4-46f7-96ec-b56ff0331ba9"] };
    expect(changedInputs(unknown, unknown)).toEqual(["ids"]);
  });
});

describe("G5 provider text in the state", () => {
  test("names the module relative to the program, so that a moved checkout still works", () => {
    const text = providerLoader("file:///a/project/providers/role.provider.ts", "/a/project");
    expect(text).toContain('"providers/role.provider.ts"');
    expect(text).not.toContain("/a/project");
    expect(providerLoader("file:///b/providers/role.provider.ts", "/b")).toBe(
      providerLoader("file:///a/providers/role.provider.ts", "/a"),
    );
  });

  test("has the form that Pulumi's own dynamic resources have", async () => {
    const seen: { type: string; inputs: Record<string, unknown> }[] = [];
    await pulumi.runtime.setMocks({
      newResource: ({ type, inputs }) => {
        seen.push({ type, inputs });
        return { id: "id", state: inputs };
      },
      call: ({ inputs }) => inputs,
    });
    const { Network } = await import("../../providers/network.ts");
    const network = new Network("n", { stack: "s", network: "n", internal: true, labels: {} }, {});
    await new Promise((resolve) => network.urn.apply(resolve));
    const [ours] = seen;
    expect(ours?.type).toBe("pulumi-nodejs:dynamic/pgstack:Network");
    expect(ours?.inputs["__provider"]).toMatch(/^exports\.handler = /);
  });
});
