import type { Combination } from "./combination.ts";
import { hardeningProblems } from "./combinations/hardening.ts";
import { memoryProblems } from "./combinations/memory.ts";
import { nameProblems } from "./combinations/names.ts";
import { networkProblems } from "./combinations/network.ts";
import { safetyProblems } from "./combinations/safety.ts";
import { serverProblems } from "./combinations/server.ts";
import { thresholdProblems } from "./combinations/thresholds.ts";
import { tlsProblems } from "./combinations/tls.ts";
import type { Problem } from "./problem.ts";

/** Everything that cannot work or must not be, though each value alone is fit. */
export function combinationProblems(combination: Combination): readonly Problem[] {
  return [
    ...nameProblems(combination),
    ...networkProblems(combination),
    ...memoryProblems(combination),
    ...serverProblems(combination),
    ...tlsProblems(combination),
    ...safetyProblems(combination),
    ...hardeningProblems(combination),
    ...thresholdProblems(combination),
  ];
}
