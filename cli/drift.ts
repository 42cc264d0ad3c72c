import { isDeepStrictEqual } from "node:util";
import { Command } from "commander";
import type { ForeignReport } from "../operations/foreign.ts";
import { UNKNOWN } from "../providers/unknown.ts";
import { ask, requireAnswer } from "./ask.ts";
import { EXIT } from "./exit-codes.ts";
import { interruptionSignal } from "./interruption.ts";
import { jsonOption, stackName, taught } from "./options.ts";
import { harmless, printJson, printLine, table } from "./print.ts";
import {
  changingSteps,
  describeStep,
  harmlessText,
  type Preview,
  type PreviewStep,
  previewStack,
  type StepDescription,
} from "./pulumi-preview.ts";
import { pulumiUp } from "./up.ts";

/** What was changed behind the stack's back, and what its config asks for and was not applied yet. */
export interface Drift {
  readonly drift: readonly StepDescription[];
  /** What differs in server and network, in words. */
  readonly details: readonly string[];
  readonly pending: readonly StepDescription[];
}

/** Drift, and what is there that the stack has not made. */
type Report = Drift & ForeignReport;

const MARK = "drift: ";

/** `pgstack drift`. */
export function driftCommand(): Command {
  const command = new Command("drift")
    .description(
      "Compare the live world with the stack: containers, networks, volumes, server settings and files, roles, grants, extensions, schema version. What is there besides is reported and left alone.",
    )
    .option("--fix", "bring the live world back to what the stack says, after showing what that does", false)
    .option("-y, --yes", "do not ask", false)
    .addOption(jsonOption())
    .action(async (options: { readonly fix: boolean; readonly yes: boolean; readonly json: boolean }) => {
      await drift(stackName(command), options);
    });
  taught(command, [
    ["pgstack drift", "what somebody has changed by hand"],
    ["pgstack --stack prod drift --json || mail-the-team", "from cron"],
    ["pgstack drift --fix", "shows it, asks, and puts it right"],
  ]);
  return command.addHelpText(
    "after",
    `  ${EXIT.drifted}    drift: the live world is not what the stack says, or holds something foreign that is marked with !`,
  );
}

async function drift(
  stack: string,
  { fix, yes, json }: { readonly fix: boolean; readonly yes: boolean; readonly json: boolean },
): Promise<void> {
  const { readStack, requireStackEngine } = await import("./stack.ts");
  const { findForeign } = await import("../operations/foreign.ts");
  const known = await readStack(stack);
  await requireStackEngine(known);
  const [preview, foreign] = await Promise.all([
    previewStack(stack, { signal: interruptionSignal() }),
    findForeign(known.target, known),
  ]);
  const found = { ...driftOf(preview), ...foreign };
  const clean = found.drift.length === 0;
  const alarming = found.foreign.some((thing) => thing.alarming);
  if (json) printJson(found);
  else show(found);
  if (!clean || alarming) process.exitCode = EXIT.drifted;
  if (!fix || clean) return;
  requireAnswer(yes, "fix it");
  if (!yes && !(await ask("Bring the live world back? [y/N] "))) {
    printLine("Nothing was changed.");
    return;
  }
  const code = await pulumiUp(stack);
  // What is foreign is still there.
  process.exitCode = code !== 0 ? EXIT.failed : alarming ? EXIT.drifted : EXIT.ok;
}

/** Tells drift from changes of the config: where the inputs are as they were last applied, the world is what has changed. */
export function driftOf({ steps, diagnostics }: Preview): Drift {
  const applied = new Map(
    steps.filter(({ op }) => op === "refresh").map(({ urn, oldState }) => [urn, oldState?.inputs]),
  );
  const isDrift = ({ op, urn, newState }: PreviewStep): boolean =>
    applied.has(urn) && (op === "create" || sameWhereKnown(applied.get(urn), newState?.inputs));
  const changing = changingSteps(steps);
  const lines = diagnostics
    .flatMap(({ message }) => harmlessText(message).split("\n"))
    .filter((line) => line.startsWith(MARK))
    .map((line) => line.slice(MARK.length));
  return {
    drift: changing.filter(isDrift).map(describeStep),
    details: [...new Set(lines)],
    pending: changing.filter((step) => !isDrift(step)).map(describeStep),
  };
}

/** Whether inputs are the same, as far as a preview knows them. */
function sameWhereKnown(before: unknown, after: unknown): boolean {
  if (after === UNKNOWN) return true;
  if (typeof before !== "object" || typeof after !== "object" || before === null || after === null) {
    return isDeepStrictEqual(before, after);
  }
  const [one, other] = [before, after] as Record<string, unknown>[];
  const names = new Set([...Object.keys(one ?? {}), ...Object.keys(other ?? {})]);
  return [...names].every((name) => sameWhereKnown(one?.[name], other?.[name]));
}

function show({ drift, details, pending, foreign, unseen }: Report): void {
  if (drift.length === 0) printLine("No drift: the live world is what the stack says.");
  else printLine([rowsOf(drift), ...details.map((line) => `  ${line}`)].join("\n"));
  if (foreign.length > 0) {
    printLine(`\nForeign: not made by the stack, reported and left alone (! gives power, or harms):`);
    const rows = foreign.map(({ kind, name, detail, alarming }) => [
      alarming ? "!" : " ",
      ...[kind, harmless(name), harmless(detail)],
    ]);
    printLine(table(rows, "  ").trimEnd());
  }
  if (unseen !== undefined) printLine(`\nWhat is foreign in the server could not be looked at: ${unseen}.`);
  if (pending.length > 0) {
    printLine(
      `\nNot applied yet, by the stack's config (an up, and --fix, does this as well):\n${rowsOf(pending)}`,
    );
  }
}

function rowsOf(differences: readonly StepDescription[]): string {
  return table(
    differences.map(({ resource, type, operation, properties }) => [
      ...[operation, resource, type, properties.join(", ")],
    ]),
  ).trimEnd();
}
