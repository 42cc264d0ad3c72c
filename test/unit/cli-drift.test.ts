import { describe, expect, test } from "vitest";
import { driftOf } from "../../cli/drift.ts";

const UNKNOWN = "04da6b54-80e4-46f7-96ec-b56ff0331ba9";
const urn = (name: string, type = "docker:index/container:Container") =>
  `urn:pulumi:dev::pgstack::pgstack:index:Server$${type}::${name}`;
const state = (inputs: Record<string, unknown>) => ({ inputs });

describe("G5 F13 what a preview tells of drift", () => {
  test("F13 the same inputs as last applied: the world has changed; others: the config has", () => {
    const found = driftOf({
      diagnostics: [
        { severity: "info#err", message: 'drift: role "readonly": more\n\n' },
        { severity: "info#err", message: 'drift: role "readonly": more\n\n' },
        { severity: "info", message: "<{%reset%}>something else<{%reset%}>" },
      ],
      steps: [
        { op: "refresh", urn: urn("a"), oldState: state({ memory: 512 }), newState: state({ memory: 400 }) },
        {
          op: "update",
          urn: urn("a"),
          oldState: state({ memory: 400 }),
          newState: state({ memory: 512 }),
          diffReasons: ["memory"],
        },
        { op: "refresh", urn: urn("b"), oldState: state({ memory: 512 }) },
        {
          op: "replace",
          urn: urn("b"),
          oldState: state({ memory: 512 }),
          newState: state({ memory: 600 }),
          replaceReasons: ["memory"],
        },
        { op: "create-replacement", urn: urn("b"), newState: state({ memory: 600 }) },
        { op: "refresh", urn: urn("gone"), oldState: state({ a: 1 }) },
        { op: "create", urn: urn("gone"), newState: state({ a: 2 }) },
        { op: "refresh", urn: urn("after"), oldState: state({ id: "x", list: [1] }) },
        { op: "update", urn: urn("after"), newState: state({ id: UNKNOWN, list: [1] }) },
        { op: "create", urn: urn("new"), newState: state({}) },
        { op: "same", urn: urn("same") },
      ],
    });
    expect(found.drift.map(({ resource, operation }) => `${operation} ${resource}`)).toEqual([
      "update a",
      "create gone",
      "update after",
    ]);
    expect(found.drift[0]?.properties).toEqual(["memory"]);
    expect(found.pending.map(({ resource, operation }) => `${operation} ${resource}`)).toEqual([
      "replace b",
      "create new",
    ]);
    expect(found.details).toEqual(['role "readonly": more']);
  });

  test("F13 nothing changed", () => {
    expect(driftOf({ steps: [{ op: "same", urn: urn("a") }], diagnostics: [] })).toEqual({
      drift: [],
      details: [],
      pending: [],
    });
  });
});
