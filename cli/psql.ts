import { Command } from "commander";
import type { RoleKind } from "../operations/health.ts";
import type { PsqlSession, TerminalSize } from "../operations/psql-session.ts";
import { EXIT } from "./exit-codes.ts";
import { departureSignal, interruptionSignal } from "./interruption.ts";
import { roleOption, stackName, taught } from "./options.ts";

/** `pgstack psql`. */
export function psqlCommand(): Command {
  const command = new Command("psql")
    .description(
      "Open the server's own psql in its container, as one of the roles; or run the SQL on standard input.",
    )
    .addOption(roleOption())
    .argument("[arguments...]", "psql's own arguments, after --")
    .action(async (psqlArguments: string[], { role }: { role: RoleKind }) => {
      await run(stackName(command), role, psqlArguments);
    });
  return taught(command, [
    ["pgstack psql --role administrator", "a prompt on the stack's database"],
    ["echo 'select 1' | pgstack psql -- -At", "SQL from a pipe, bare output"],
  ]);
}

async function run(name: string, role: RoleKind, psqlArguments: readonly string[]): Promise<void> {
  const { readStackWithCredentials, requireStackEngine } = await import("./stack.ts");
  const { runPsql } = await import("../operations/psql-session.ts");
  const stack = await readStackWithCredentials(name);
  await requireStackEngine(stack);
  const { target, credentials, trust } = stack;
  const interrupted = interruptionSignal();
  const departed = departureSignal();
  const { stdin, stdout, stderr } = process;
  const terminal = stdin.isTTY && stdout.isTTY ? { terminal: ownTerminal() } : {};
  const session: PsqlSession = {
    credential: credentials[role],
    trust,
    arguments: psqlArguments,
    ...terminal,
    input: stdin,
    output: stdout,
    errorOutput: stderr,
    signal: AbortSignal.any([interrupted, departed]),
  };
  const raw = "terminal" in terminal;
  // A terminal that was closed is told by SIGHUP.
  stdin.on("error", () => {});
  if (raw) stdin.setRawMode(true);
  try {
    const exitCode = await runPsql(target, session);
    interrupted.throwIfAborted();
    if (exitCode !== 0) process.exitCode = EXIT.failed;
  } finally {
    if (raw) stdin.setRawMode(false);
  }
}

function ownTerminal(): NonNullable<PsqlSession["terminal"]> {
  const { stdout } = process;
  const size = (): TerminalSize => ({ columns: stdout.columns, rows: stdout.rows });
  return {
    ...size(),
    kind: process.env.TERM ?? "xterm",
    onResize(changed) {
      const listener = () => changed(size());
      stdout.on("resize", listener);
      return () => stdout.off("resize", listener);
    },
  };
}
