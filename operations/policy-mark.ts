import { mkdirSync, readdirSync, readFileSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { basename, join } from "node:path";
import { STATE_DIRECTORY } from "../toolchain/directories.mjs";
import { type Process, processesAbove } from "./processes-above.ts";
import { UserError } from "./user-error.ts";

/**
 * A policy pack leaves a mark, named by the process of the engine that has loaded it; the program, which the same engine has
 * started, looks for it. Neither can see the engine's arguments otherwise.
 */
const MARKS = join(STATE_DIRECTORY, "policies");
const STRICT: ReadonlySet<string> = new Set(["staging", "production"]);
/** Commands of the engine that run the program and have no policies. */
const WITHOUT_POLICIES: ReadonlySet<string> = new Set(["destroy", "refresh"]);
/** Options of `pulumi` that may come before its command and have a value. */
const WITH_VALUE = new Set([
  ...["-C", "--cwd", "-s", "--stack", "--color", "-v", "--verbose", "--env", "--tracing", "--otel-traces"],
  ...["--profiling", "--memprofilerate"],
]);

/** Leaves the mark of this process, a policy pack, until it ends. */
export function leavePolicyMark(): void {
  const engine = engineAbove(process.pid);
  if (engine === undefined) return;
  const file = join(MARKS, String(engine.pid));
  mkdirSync(MARKS, { recursive: true, mode: 0o700 });
  for (const name of readdirSync(MARKS))
    if (!isAlive(Number(name))) rmSync(join(MARKS, name), { force: true });
  writeFileSync(`${file}.${process.pid}`, String(process.pid));
  renameSync(`${file}.${process.pid}`, file);
  process.once("exit", () => rmSync(file, { force: true }));
}

/**
 * Staging and production are brought up with the policies, or not at all.
 *
 * @throws UserError where the engine of this run has not loaded them.
 */
export function requirePolicies(
  { stack, environment }: { readonly stack: string; readonly environment: string },
  variables: NodeJS.ProcessEnv,
): void {
  if (!STRICT.has(environment) || variables["PGSTACK_POLICIES"] === "skip") return;
  const engine = engineAbove(process.pid);
  if (engine !== undefined && (WITHOUT_POLICIES.has(engineCommand(engine.command)) || isMarked(engine)))
    return;
  throw new UserError(
    `stack ${stack} is for ${environment}, and this run is not held against the policies: bring it up by npm start -- --stack ${stack}, ` +
      'or by pulumi in a shell with eval "$(./pgstack env)" (docs/policies.md says how to go without)',
  );
}

/** The command among the words of a call of `pulumi`; `up` where there is none. */
export function engineCommand([, ...words]: readonly string[]): string {
  const found = words.find((word, index) => !word.startsWith("-") && !WITH_VALUE.has(words[index - 1] ?? ""));
  return found ?? "up";
}

function engineAbove(pid: number): Process | undefined {
  return processesAbove(pid).find(({ command: [program = ""] }) =>
    /^pulumi(\.exe)?$/.test(basename(program)),
  );
}

/** Whether a pack that this engine has started still runs. */
function isMarked(engine: Process): boolean {
  try {
    const pack = Number(readFileSync(join(MARKS, String(engine.pid)), "utf8"));
    return processesAbove(pack).some(({ pid }) => pid === engine.pid);
  } catch {
    return false;
  }
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === "EPERM";
  }
}
