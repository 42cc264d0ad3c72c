import type { Given } from "./schema.ts";
import type { Settings, SettingsContext } from "./settings.ts";

/** What several settings together tell: the same for all checks. */
export interface Combination {
  readonly settings: Settings;
  /** What was given, with the plain defaults: tells a missing key from a given one. */
  readonly given: Given;
  readonly context: SettingsContext;
}
