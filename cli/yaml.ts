import { createRequire } from "node:module";

/** The parser of settings files, loaded when it is first used: few commands need it, and it is a sixth of what a short one takes. */
export function yaml(): typeof import("yaml") {
  return createRequire(import.meta.url)("yaml") as typeof import("yaml");
}
