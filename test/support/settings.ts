import { join } from "node:path";
import { readSettings, type Settings, type SettingsContext } from "../../settings/read.ts";

/** The project's own folder. */
export const PROJECT = join(import.meta.dirname, "..", "..");

/** Settings of a stack "demo" that no variable of this machine has a say in. */
export function read(config: Record<string, unknown> = {}, context: Partial<SettingsContext> = {}): Settings {
  return readSettings(config, {
    stack: "demo",
    environment: {},
    isRoot: false,
    projectDirectory: PROJECT,
    ...context,
  });
}

/** The lines that a config is refused with. */
export function refusal(config: Record<string, unknown>, context: Partial<SettingsContext> = {}): string[] {
  try {
    read(config, context);
  } catch (error) {
    if (error instanceof Error && error.name === "UserError") return error.message.split("\n");
    throw error;
  }
  return [];
}
