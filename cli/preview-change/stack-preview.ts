import { randomBytes } from "node:crypto";
import { mkdir } from "node:fs/promises";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { dockerEngine } from "../../operations/docker.ts";
import { waitUntilReady } from "../../operations/readiness.ts";
import { removeContainers, removeStorage } from "../../operations/stack-things.ts";
import type { Target } from "../../operations/target.ts";
import { errorLine } from "../../operations/user-error.ts";
import { POLICIES } from "../../toolchain/directories.mjs";
import { type PulumiEnd, runToEnd } from "../pulumi.ts";
import { previewStack } from "../pulumi-preview.ts";
import { changesOf, errorsIn, findingsIn } from "./changes.ts";
import { type Checkouts, writeThrowAwaySettings } from "./checkouts.ts";
import type { Report } from "./comment.ts";
import type { Ports } from "./throw-away-settings.ts";

/** How {@link previewChange} is followed. */
export interface PreviewChangeOptions {
  readonly onStep: (text: string) => void;
  readonly signal: AbortSignal;
}

/**
 * Brings a stack of the base up under a throw-away name, with a state and a passphrase of its own, and previews the head on
 * it. Nothing of the live stack is used or needed.
 */
export async function previewChange(
  checkouts: Checkouts,
  stack: string,
  { onStep, signal }: PreviewChangeOptions,
): Promise<Report> {
  const { base, head, folder } = checkouts;
  const throwAway = `preview-${randomBytes(4).toString("hex")}`;
  const state = join(folder, "state");
  await mkdir(state, { recursive: true, mode: 0o700 });
  const environment = {
    ...checkouts.environment,
    PULUMI_BACKEND_URL: `${pathToFileURL(state).href}?metadata=skip`,
    PULUMI_CONFIG_PASSPHRASE: randomBytes(24).toString("base64url"),
    // The base is thrown away; the head is held against its policies by its preview.
    PGSTACK_POLICIES: "skip",
  };
  const pulumi = (cwd: string, ...words: string[]): Promise<PulumiEnd> =>
    runToEnd([...words, "--stack", throwAway, "--non-interactive", "--color", "never"], {
      ...{ cwd, env: environment, signal },
    });
  const failed = (errors: readonly string[], text: string): Report => ({
    ...{ stack, errors, changes: [], findings: findingsIn(text), text },
  });
  try {
    const ports: Ports = new Map();
    const isNew = !(await writeThrowAwaySettings(base, stack, throwAway, ports));
    if (!(await writeThrowAwaySettings(head, stack, throwAway, ports))) {
      return failed(
        [`Pulumi.${stack}.yaml is not there any more: destroy the stack before its settings go`],
        "",
      );
    }
    await pulumi(base.folder, "stack", "init");
    if (!isNew) {
      onStep(`${stack}: bringing up the base`);
      const up = await pulumi(base.folder, "up", "--yes", "--skip-preview", "--suppress-outputs");
      if (up.code !== 0) return failed(["the base does not come up", ...errorsIn(up.output)], up.output);
    }
    onStep(`${stack}: previewing the head`);
    // Only the short form tells what the policies found.
    const { code, output } = await pulumi(head.folder, "preview", "--suppress-outputs", ...POLICIES);
    const findings = findingsIn(output);
    const errors = errorsIn(output);
    if (code !== 0 && (errors.length > 0 || findings.length === 0)) {
      return failed(errors.length > 0 ? errors : [`the preview ends with ${code}`], output);
    }
    const diff = await pulumi(head.folder, "preview", "--diff", "--suppress-outputs");
    const { steps } = await previewStack(throwAway, { cwd: head.folder, env: environment, signal });
    const changes = changesOf(steps);
    const report: Report = { stack, errors: [], changes, findings, text: diff.output };
    if (isNew || !changes.some(({ interrupts }) => interrupts)) return report;
    onStep(`${stack}: measuring a restart`);
    const { stdout } = await pulumi(base.folder, "stack", "output", "connection", "--json");
    const { target } = JSON.parse(stdout) as { readonly target: Target };
    return { ...report, restartSeconds: await restartSeconds(target) };
  } catch (error) {
    signal.throwIfAborted();
    return failed([errorLine(error)], "");
  } finally {
    await removeContainers(throwAway);
    await removeStorage(throwAway);
  }
}

/** How long clients of the throw-away server are without it, on this machine. */
async function restartSeconds(target: Target): Promise<number> {
  const started = performance.now();
  await dockerEngine().getContainer(target.container).restart();
  await waitUntilReady(target, { timeoutSeconds: 120 });
  return Math.max(1, (performance.now() - started) / 1_000);
}
