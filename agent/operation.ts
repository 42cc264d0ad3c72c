import type { AgentConfiguration } from "./configuration.ts";
import type { Context } from "./context.ts";

/** Carries out one operation for a caller; what it returns must be plain data. */
export type Operation = (
  configuration: AgentConfiguration,
  parameters: Readonly<Record<string, unknown>>,
  context: Context,
) => Promise<unknown>;
