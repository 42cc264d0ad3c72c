import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Command } from "commander";
import { UserError } from "../operations/user-error.ts";
import { POLICIES, PROJECT_DIRECTORY } from "../toolchain/directories.mjs";
import { withAdministrator } from "./administrator.ts";
import { ask } from "./ask.ts";
import { driftOf } from "./drift.ts";
import { UsageError } from "./exit-codes.ts";
import { interruptionSignal } from "./interruption.ts";
import { readConfig } from "./new-stack.ts";
import { jsonOption, stackName, taught } from "./options.ts";
import { harmless, note, printJson, printLine, table } from "./print.ts";
import { carriedFrom, differences, type Row } from "./promotion/carried.ts";
import { requireCleanCommit, requireHealthy, requireNoChanges, requireOrder } from "./promotion/checks.ts";
import { readJournal } from "./promotion/journal.ts";
import { type Promotion, perform, putBack } from "./promotion/perform.ts";
import { changedSettings, readSettings } from "./promotion/settings-file.ts";
import { previewStack } from "./pulumi-preview.ts";
import { openStack, readStackWithCredentials } from "./stack.ts";

interface PromoteOptions {
  readonly dryRun: boolean;
  readonly yes: boolean;
}

/** Records of promotions that `promotions` looks through. */
const RECORDS = 100_000;

/** `pgstack promote FROM TO`. */
export function promoteCommand(): Command {
  const command = new Command("promote")
    .description(
      "Bring exactly what was proven in one stack to the next: image, server settings, extensions, schema version.",
    )
    .argument("<from>", "the stack that it was proven in")
    .argument("<to>", "the stack of the next environment: development, test, staging, production")
    .option("--dry-run", "show what would change; nothing is changed", false)
    .option("-y, --yes", "do not ask", false)
    .action(async (from: string, to: string, options: PromoteOptions) => {
      await promote(from, to, options);
    });
  return taught(command, [
    ["pgstack promote staging prod --dry-run", "what would change, and what Pulumi would do"],
    ["pgstack promote ci staging", "shows it, asks, backs up, applies, checks"],
  ]);
}

/** `pgstack promotions`. */
export function promotionsCommand(): Command {
  const command = new Command("promotions")
    .description("What was promoted to a stack, from where and when, oldest first.")
    .addOption(jsonOption())
    .action(async ({ json }: { readonly json: boolean }) => {
      const stack = stackName(command);
      const { logsDirectory } = await openStack(stack);
      const { lastAuditRecords } = await import("./audit-records.ts");
      const { records } = await lastAuditRecords(logsDirectory, stack, RECORDS);
      const found = records.filter(({ operation }) => operation === "promotion.apply");
      const begun = await readJournal(stack);
      if (json) return printJson({ promotions: found, unfinished: begun?.from ?? null });
      if (found.length === 0) printLine(`Nothing was promoted to stack ${stack} yet.`);
      else {
        const rows = found.map(({ time, result, operator, parameters }) => [
          ...[time, result, String(parameters["from"]), String(parameters["commit"]).slice(0, 12), operator],
        ]);
        printLine(table(rows.map((row) => row.map(harmless))).trimEnd());
      }
      if (begun)
        note(`a promotion from ${begun.from} was cut off: the next promote puts the stack back first`);
    });
  return taught(command, [["pgstack --stack prod promotions", "with commit and operator"]]);
}

async function promote(from: string, to: string, { dryRun, yes }: PromoteOptions): Promise<void> {
  const signal = interruptionSignal();
  const begun = await readJournal(to);
  if (begun !== undefined) {
    if (dryRun)
      throw new UserError(`a promotion to ${to} was cut off: promote without --dry-run puts it back first`);
    await putBack(to, begun);
  }
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
  const schemaVersion = await wayBack(to, rows);
  await showPreview(to, after, signal);
  if (dryRun) return printLine("Nothing was changed: this was a dry run.");
  await confirm(to, yes);
  const promotion: Promotion = {
    ...{ from, to, source, target, commit, rows, settings: { before, after } },
    ...(schemaVersion === undefined ? {} : { schemaVersion }),
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

/** The version that the schema is taken back to when the promotion fails. @throws UserError where there is no way down. */
async function wayBack(to: string, rows: readonly Row[]): Promise<string | undefined> {
  const row = rows.find(({ setting }) => setting === "schemaVersion");
  if (row === undefined) return undefined;
  const { migrationStatus, plannedMigrations, versionOf } = await import("../operations/migrations.ts");
  return await withAdministrator(to, "promote", async ({ client }) => {
    const planned = await plannedMigrations(client, {
      ...{ project: PROJECT_DIRECTORY, direction: "up", to: String(row.after) },
    });
    const oneWay = planned.find(({ down }) => down === undefined);
    if (oneWay !== undefined) {
      throw new UserError(
        `nothing was changed: migrations/${oneWay.name}.down.sql is not there, so a promotion that fails could not put stack ${to} back`,
      );
    }
    const { applied } = await migrationStatus(client, PROJECT_DIRECTORY);
    return versionOf(applied.at(-1)?.name ?? "");
  });
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

async function confirm(to: string, yes: boolean): Promise<void> {
  if (yes) return;
  if (!process.stdin.isTTY) throw new UsageError("nobody can be asked here: --yes promotes without asking");
  if (!(await ask(`Promote to ${to}? [y/N] `))) throw new UserError("nothing was changed");
}

function rowOf({ setting, before, after }: Row): string[] {
  const shown = (value: unknown) =>
    value === undefined ? "-" : typeof value === "string" ? value : JSON.stringify(value);
  return [setting, shown(before), shown(after)].map(harmless);
}
