import type { Rule } from "./rule.ts";
import { containerRules } from "./rules/containers.ts";
import { dataRules } from "./rules/data.ts";
import { hardeningRules } from "./rules/hardening.ts";
import { isolationRules } from "./rules/isolation.ts";
import { kindRules } from "./rules/kinds.ts";
import { networkRules } from "./rules/networks.ts";
import { secretRules } from "./rules/secrets.ts";

/** Every rule on single resources. */
export const RULES: readonly Rule[] = [
  ...kindRules,
  ...containerRules,
  ...isolationRules,
  ...networkRules,
  ...dataRules,
  ...secretRules,
  ...hardeningRules,
];
