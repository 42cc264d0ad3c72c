import { PolicyPack, type ResourceValidationPolicy, type StackValidationPolicy } from "@pulumi/policy";
import * as pulumi from "@pulumi/pulumi";
import { leavePolicyMark } from "../operations/policy-mark.ts";
import { defaultNames } from "../settings/default-names.ts";
import { engineDirectory } from "../toolchain/directories.mjs";
import { exceptionProblems, isAccepted, readExceptions } from "./exceptions.ts";
import type { Context, Declared, Rule } from "./rule.ts";
import { RULES } from "./rules.ts";
import { STACK_RULES, type StackRule } from "./whole-stack.ts";

// By it the program knows that this run is held against the policies.
leavePolicyMark();
// For a stack without any setting Pulumi hands over null, which its own reader does not take.
if (process.env["PULUMI_CONFIG"] === "null") pulumi.runtime.setAllConfig({});
// The stack's own config, not what the program made of it.
const config = new pulumi.Config("pgstack");
const allowDestroyUntil = config.get("allowDestroyUntil");
const backupDirectory = config.get("backupDirectory");
const context: Context = {
  stack: pulumi.getStack(),
  environment: config.get("environment") ?? "development",
  networkName:
    config.get("networkName") ??
    (process.env["POSTGRES_NETWORK_NAME"] || defaultNames(pulumi.getStack(), false).networkName),
  engineFolders: [engineDirectory()],
  ...(allowDestroyUntil === undefined ? {} : { allowDestroyUntil }),
  ...(backupDirectory === undefined ? {} : { backupDirectory }),
  now: new Date(),
};
const exceptions = readExceptions();

function policyOf(rule: Rule): ResourceValidationPolicy {
  return {
    ...head(rule),
    validateResource: (args, report) => {
      if (rule.types.length > 0 && !rule.types.includes(args.type)) return;
      if (rule.environments !== undefined && !rule.environments.includes(context.environment)) return;
      const found = whereKnown(() => rule.check(args as Declared, context));
      if (found !== undefined && !accepted(rule, args.name)) report(message(rule, found));
    },
  };
}

function stackPolicyOf(rule: StackRule): StackValidationPolicy {
  return {
    ...head(rule),
    validateStack: ({ resources }, report) => {
      if (accepted(rule, "")) return;
      const declared = resources as unknown as readonly Declared[];
      for (const found of whereKnown(() => rule.check(declared)) ?? []) report(message(rule, found));
    },
  };
}

/** An exception that is none must not look like one. */
const current: StackValidationPolicy = {
  name: "exceptions-current",
  description: "An exception has a rule, a reason and a day that it ends on.",
  enforcementLevel: "mandatory",
  validateStack: (_, report) => {
    const rules = new Set([...RULES, ...STACK_RULES].map(({ name }) => name));
    for (const problem of exceptionProblems(exceptions, rules, context.stack, context.now)) report(problem);
  },
};

function head({ name, reason, advice = false }: Pick<Rule, "name" | "reason" | "advice">) {
  return {
    name,
    description: reason,
    enforcementLevel: advice ? ("advisory" as const) : ("mandatory" as const),
  };
}

/** A preview does not know every value yet: what depends on one is looked at by the up, before it is made. */
function whereKnown<Value>(look: () => Value): Value | undefined {
  try {
    return look();
  } catch (error) {
    if ((error as Error).constructor.name === "UnknownValueError") return undefined;
    throw error;
  }
}

function accepted({ name }: Pick<Rule, "name">, resource: string): boolean {
  return isAccepted({ rule: name, stack: context.stack, resource }, exceptions.list, context.now);
}

function message({ remedy }: Pick<Rule, "remedy">, found: string): string {
  return `${found}. To mend it: ${remedy}. (docs/policies.md says how to accept it for a while.)`;
}

// A shell with `pgstack env` runs the pack at every project that it is used for.
const isOwn = process.env["PGSTACK_POLICIES_OF_SHELL"] === undefined || pulumi.getProject() === "pgstack";
new PolicyPack("pgstack", {
  policies: isOwn ? [...RULES.map(policyOf), ...STACK_RULES.map(stackPolicyOf), current] : [],
});
