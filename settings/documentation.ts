import { z } from "zod";

/** Groups of the reference, in its order. */
export const GROUPS = [
  "Stack",
  "Database",
  "Names in Docker",
  "Network",
  "Memory and server",
  "Container",
  "TLS",
  "Passwords",
  "Backup",
  "Health and logs",
] as const;

/** What the reference says about a key beside its description. All texts are Markdown. */
export interface SettingDocumentation {
  readonly group: (typeof GROUPS)[number];
  /** The default in words or as a value. */
  readonly fallback: string;
  /** An example as it stands in a stack file. */
  readonly example: string;
  /** What a change does that one should know before: a restart, lost data. */
  readonly caution?: string;
  /** Environment variable that replaces the default. */
  readonly variable?: string;
  /** Given as a list or a map. */
  readonly structured?: boolean;
  /** Stands in the README's short table too. */
  readonly common?: boolean;
}

/** The documentation of each key's schema. */
export const documentation = z.registry<SettingDocumentation>();

/** Ties a key's description and documentation to its schema. */
export function setting<Schema extends z.ZodType>(
  schema: Schema,
  description: string,
  details: SettingDocumentation,
): Schema {
  const described = schema.describe(description);
  documentation.add(described, details);
  return described;
}
