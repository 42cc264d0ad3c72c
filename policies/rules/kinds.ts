import { CONTAINER, IMAGE, type Rule, VOLUME } from "../rule.ts";

/** Kinds of resource that the other rules look at, or that hold nothing that runs. */
const KNOWN = new Set([
  ...[
    "pulumi:pulumi:Stack",
    "pulumi:pulumi:StackReference",
    "pulumi:providers:docker",
    "pulumi:providers:random",
  ],
  ...["pulumi:providers:command", "pulumi:providers:pulumi-nodejs", "command:local:Command"],
  ...[CONTAINER, VOLUME, IMAGE],
]);
/** This project's own, and the generator of passwords. */
const KNOWN_FAMILIES = /^(pgstack:index:|pulumi-nodejs:dynamic\/pgstack:|random:index\/)\w+(:\w+)?$/;

/** What a stack may be made of at all. */
export const kindRules: readonly Rule[] = [
  {
    name: "kind-known",
    reason: "A service, a network or a container of another kind is looked at by no rule.",
    remedy:
      "declare it by this project's components, or review its kind and add it to policies/rules/kinds.ts",
    types: [],
    check: ({ type }) => (KNOWN.has(type) || KNOWN_FAMILIES.test(type) ? undefined : `its kind is ${type}`),
  },
];
