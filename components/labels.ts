import { LABEL_PROJECT, LABEL_STACK } from "../operations/target.ts";

/** Labels that mark a Docker object as this stack's own, and the user's, in the provider's form and a steady order. */
export function dockerLabels(
  stack: string,
  project: string,
  extra: Readonly<Record<string, string>> = {},
): { label: string; value: string }[] {
  return Object.entries(labelRecord(stack, project, extra)).map(([label, value]) => ({ label, value }));
}

/** The same labels by name, sorted, as the Docker Engine's interface takes them. */
export function labelRecord(
  stack: string,
  project: string,
  extra: Readonly<Record<string, string>> = {},
): Record<string, string> {
  const labels = { ...extra, [LABEL_STACK]: stack, [LABEL_PROJECT]: project };
  return Object.fromEntries(Object.entries(labels).sort(([left], [right]) => left.localeCompare(right)));
}
