import type { DatabaseSpecification } from "./database.ts";
import type { Target } from "./target.ts";
import { requireTestEnvironment } from "./testing/environment.ts";
import { type Reset, resetDatabase, tidy } from "./testing/reset.ts";
import { requireSnapshot, snapshotFile } from "./testing/snapshot-files.ts";
import { ensureTemplate } from "./testing/template.ts";

export { requireTestEnvironment, requireTestSetting } from "./testing/environment.ts";
export { isTemplateThere } from "./testing/template.ts";

/** What a database is reset to. */
export interface ResetOptions {
  /** Folder of the project, with its snapshots. */
  readonly project: string;
  /** Name of the snapshot. */
  readonly name: string;
  /** What the stack declares for its database. */
  readonly specification: DatabaseSpecification;
  readonly onStep?: (text: string, fraction?: number) => void;
  readonly signal?: AbortSignal;
}

/**
 * Brings a stack's database to a snapshot: everything in it is replaced, its sessions are ended. In the cluster of a test
 * stack alone.
 *
 * @throws UserError for another cluster, an unknown snapshot, and one whose file was changed.
 */
export async function resetToSnapshot(
  target: Target,
  { project, name, specification, onStep, signal }: ResetOptions,
): Promise<Reset & { readonly template: string }> {
  const snapshot = await requireSnapshot(project, name);
  await requireTestEnvironment(target);
  const template = await ensureTemplate(target, {
    ...{ snapshot, file: snapshotFile(project, name), specification },
    ...(onStep === undefined ? {} : { onStep }),
    ...(signal === undefined ? {} : { signal }),
  });
  onStep?.("resetting");
  const done = await resetDatabase(target, template);
  onStep?.("making ready for the next reset");
  await tidy(target, template);
  return { ...done, template: template.name };
}
