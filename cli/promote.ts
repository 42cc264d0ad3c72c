import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Command } from "commander";
import { withStackLock } from "../operations/lock/stack.ts";
import { interruptedLine } from "../operations/promotion/words.ts";
import { UserError } from "../operations/user-error.ts";
import { POLICIES, PROJECT_DIRECTORY } from "../toolchain/directories.mjs";
import { withAdministrator } from "./administrator.ts";
import { confirm } from "./ask.ts";
import { driftOf } from "./drift.ts";
import { UsageError } from "./exit-codes.ts";
import { interruptionSignal } from "./interruption.ts";
import { readConfig } from "./new-stack.ts";
import { taught } from "./options.ts";
import { harmless, printLine, table } from "./print.ts";
import { carriedFrom, differences, type Row } from "./promotion/carried.ts";
import { requireCleanCommit, requireHealthy, requireNoChanges, requireOrder } from "./promotion/checks.ts";
import { openPromotion } from "./promotion/interrupted.ts";
import { type Promotion, perform } from "./promotion/perform.ts";
import { schemaBefore } from "./promotion/schema.ts";
import { changedSettings, readSettings } from "./promotion/settings-file.ts";
import { endInterrupted } from "./promotion/take-back.ts";
import { previewStack } from "./pulumi-preview.ts";
import { openStack, readStackWithCredentials } from "./stack.ts";

interface PromoteOptions {
  readonly dryRun: boolean;
  readonly putBack: boolean;
  readonly forget: boolean;
  readonly yes: boolean;
}

/** `pgstack promote FROM TO`. */
export function promoteCommand(): Command {
  const command = new Command("promote")
    .description(
      "Bring exactly what was proven in one stack to the next: image, server settings, extensions, schema version.",
    )
    .argument("<from>", "the stack that it was proven in")
    .argument("<to>", "the stack of the next environment: development, test, staging, production")
    .option("--dry-run", "show what would change; nothing is changed", false)
    .option("--put-back", "take back a promotion that was interrupted: shows it, asks, backs up", false)
    .option("--forget", "leave everything as an interrupted promotion left it", false)
    .option("-y, --yes", "do not ask", false)
    .action(async (from: string, to: string, options: PromoteOptions) => {
      const { dryRun, putBack, forget } = options;
      if ([dryRun, putBack, forget].filter(Boolean).length > 1) {
        throw new UsageError("give one of --dry-run, --put-back and --forget");
      }
      if (dryRun) return await promote(from, to, options);
      // Held while the user is asked, too: what is shown is what will be done.
      await withStackLock(PROJECT_DIRECTORY, to, `a promotion from ${from} to ${to}`, async () => {
        if (putBack || forget) await endInterrupted(from, to, options);
        else await promote(from, to, options);
      });
    });
  return taught(command, [
    ["pgstack promote staging prod --dry-run", "what would change, and what Pulumi would do"],
    ["pgstack promote ci staging", "shows it, asks, backs up, applies, checks"],
    ["pgstack promote ci staging --put-back", "after one that was interrupted: the stack as it was before"],
  ]);
}

async function promote(from: string, to: string, { dryRun, yes }: PromoteOptions): Promise<void> {
  const signal = interruptionSignal();
  const begun = await openPromotion(to);
  if (begun !== undefined) throw new UserError(`nothing was changed: ${interruptedLine(to, begun)}`);
  const [source, target] = [await readStackWithCredentials(from), await openStack(to)];
  requireOrder(from, source.environment, to, target.environment);
  const commit = await requireCleanCommit();
  await requireHealthy(from, source);
  await requireNoChanges(from, signal);

  const [sourceConfig, targetConfig] = [await readConfig(from), await readConfig(to)];
  const rows = differences(carriedFrom(sourceConfig, source), targetConfig);
  if (rows.length === 0) return printLine(`Stack ${to} has what was proven in ${from} already.`);
  requireSameMajor(rows);
  printLine(table([["setting", to, `from ${from}`], ...rows.map(rowOf)]).trimEnd());

  const before = await readSettings(to);
  const record = { from, commit, at: new Date().toISOString() };
  const after = changedSettings(before, rows, record);
  const schema = await wayBack(to, rows);
  await showPreview(to, after, signal);
  if (dryRun) return printLine("Nothing was changed: this was a dry run.");
  await confirm(`Promote to ${to}? [y/N] `, yes);
  const promotion: Promotion = {
    ...{ ...record, to, source, target, rows, settings: { before, after } },
    ...(schema === undefined ? {} : { schema }),
  };
  await perform(promotion);
  printLine(
    `\nStack ${to} has what was proven in ${from} at ${commit.slice(0, 12)}. Commit Pulumi.${to}.yaml.`,
  );
}

/** Another major version is not a matter of an image. */
function requireSameMajor(rows: readonly Row[]): void {
  const row = rows.find(({ setting }) => setting === "majorVersion");
  if (row === undefined) return;
  throw new UserError(
    `nothing was changed: the data is of PostgreSQL ${row.before ?? 16}, and ${row.after ?? 16} was proven: pgstack upgrade brings it there (docs/upgrade.md)`,
  );
}

/** The way back of the schema where a promotion touches it. @throws UserError where there is no way down. */
async function wayBack(to: string, rows: readonly Row[]): Promise<Promotion["schema"]> {
  const row = rows.find(({ setting }) => setting === "schemaVersion");
  if (row === undefined) return undefined;
  return await withAdministrator(to, "promote", ({ client }) => schemaBefore(client, to, String(row.after)));
}

/** What Pulumi would do with the new settings, held against the policies. */
async function showPreview(stack: string, settings: string, signal: AbortSignal): Promise<void> {
  const folder = await mkdtemp(join(tmpdir(), "pgstack-promote-"));
  try {
    const file = join(folder, `Pulumi.${stack}.yaml`);
    await writeFile(file, settings, { mode: 0o600 });
    const preview = await previewStack(stack, { more: [...POLICIES, "--config-file", file], signal });
    const { drift, pending } = driftOf(preview);
    const rows = [...drift, ...pending].map(({ operation, resource, properties }) => [
      ...[operation, resource, properties.join(", ")],
    ]);
    printLine(`\nPulumi would:\n${table(rows).trimEnd()}\n`);
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

function rowOf({ setting, before, after }: Row): string[] {
  const shown = (value: unknown) =>
    value === undefined ? "-" : typeof value === "string" ? value : JSON.stringify(value);
  return [setting, shown(before), shown(after)].map(harmless);
}
