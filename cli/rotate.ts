import { Command } from "commander";
import type { RoleKind } from "../operations/health.ts";
import { withStackLock } from "../operations/lock/stack.ts";
import { errorLine, UserError } from "../operations/user-error.ts";
import { nearest } from "../settings/nearest.ts";
import { PROJECT_DIRECTORY } from "../toolchain/directories.mjs";
import { explainPassphrase } from "../toolchain/opens.mjs";
import { UsageError } from "./exit-codes.ts";
import { interruptionSignal } from "./interruption.ts";
import { ROLE_KINDS, stackName, taught } from "./options.ts";
import { note, printLine } from "./print.ts";
import { pulumi } from "./pulumi.ts";
import { readStackWithCredentials, requireStackEngine, type StackWithCredentials } from "./stack.ts";
import { pulumiUp } from "./up.ts";

/** SQLSTATE of a wrong password: https://www.postgresql.org/docs/16/errcodes-appendix.html */
const INVALID_PASSWORD = "28P01";

/** `pgstack rotate`. */
export function rotateCommand(): Command {
  const command = new Command("rotate")
    .description(
      "Give a role a new password, and prove that it works and that the old one does not any more.",
    )
    .argument("<role>", "administrator, application, readonly, or the role's own name")
    .action(async (role: string) => {
      const name = stackName(command);
      await withStackLock(PROJECT_DIRECTORY, name, `a rotation in stack ${name}`, () => rotate(name, role));
    });
  return taught(command, [
    ["pgstack rotate application", "a new password; the server does not restart, open sessions stay"],
    ["pgstack connection-info --show-secrets", "then hand out the new values"],
  ]);
}

async function rotate(name: string, given: string): Promise<void> {
  const { audited } = await import("../operations/audit.ts");
  const before = await readStackWithCredentials(name);
  const kind = kindOf(given, before);
  const role = before.roles[kind];
  await requireServer(before, kind);
  // Before the count is raised: an `up` opens the settings too, which nothing has done so far.
  await explainPassphrase(name, process.env);
  const count = (await rotationsOf(name, kind)) + 1;
  const interrupted = interruptionSignal();
  const { logsDirectory, credentials } = before;
  const context = {
    logsDirectory,
    stack: name,
    secrets: Object.values(credentials).map(({ password }) => password),
  };
  await audited(context, "rotate credential", { role, kind, rotation: count }, async () => {
    await pulumi(
      name,
      "config",
      "set",
      "--path",
      `pgstack:rotations.${kind}`,
      String(count),
      "--type",
      "int",
    );
    note(`pgstack:rotations.${kind} is ${count} now in Pulumi.${name}.yaml; pulumi up makes it so:`);
    const exitCode = await pulumiUp(name);
    interrupted.throwIfAborted();
    if (exitCode !== 0) {
      throw new UserError(
        `pulumi up failed (exit code ${exitCode}): the config keeps the new count, so the next pulumi up goes on with the rotation of ${role}`,
      );
    }
    await prove(kind, before, await readStackWithCredentials(name));
  });
  printLine(`
${role} of stack ${name} has a new password (rotation ${count}): it works, the old one is refused.
Sessions that are open stay open. pgstack connection-info --role ${kind} --show-secrets tells the new values.
Commit Pulumi.${name}.yaml: it says which rotation is in use, not the password.`);
}

function kindOf(given: string, { roles }: StackWithCredentials): RoleKind {
  const kind = ROLE_KINDS.find((one) => one === given || roles[one] === given);
  if (kind !== undefined) return kind;
  const near = nearest(given, [...ROLE_KINDS, ...Object.values(roles)]);
  const hint = near === undefined ? `${ROLE_KINDS.join(", ")} are right` : `did you mean ${near}?`;
  throw new UsageError(`role ${JSON.stringify(given)} is none of the stack's: ${hint}`);
}

/** A server that does not answer is mended first: nothing has been changed yet. A password changed by hand is no hindrance. */
async function requireServer(stack: StackWithCredentials, kind: RoleKind): Promise<void> {
  const { connect, ConnectionError } = await import("../operations/connection.ts");
  await requireStackEngine(stack);
  try {
    await (await connect(stack.target, stack.credentials[kind], stack.trust)).end();
  } catch (error) {
    if (error instanceof ConnectionError && error.code === INVALID_PASSWORD) return;
    throw new UserError(`nothing was changed, a rotation needs a server that answers: ${errorLine(error)}`);
  }
}

async function rotationsOf(name: string, kind: RoleKind): Promise<number> {
  const config: Record<string, { value?: string }> = JSON.parse(await pulumi(name, "config", "--json"));
  const rotations: unknown = JSON.parse(config["pgstack:rotations"]?.value ?? "{}");
  const count =
    typeof rotations === "object" && rotations !== null ? new Map(Object.entries(rotations)).get(kind) : 0;
  return Number.isSafeInteger(Number(count ?? 0)) ? Number(count ?? 0) : 0;
}

async function prove(
  kind: RoleKind,
  before: StackWithCredentials,
  after: StackWithCredentials,
): Promise<void> {
  const { connect, ConnectionError } = await import("../operations/connection.ts");
  const { target, trust, credentials } = after;
  const old = before.credentials[kind];
  if (credentials[kind].password === old.password) {
    throw new UserError(
      `${old.role} still has its old password: pgstack:rotations.${kind} does not reach the stack`,
    );
  }
  const session = await connect(target, credentials[kind], trust);
  await session.query("select 1");
  await session.end();
  // The old password under the role's present name: that is what must not open the door.
  const stale = { role: credentials[kind].role, password: old.password };
  const refused = await connect(target, stale, trust).then(
    async (open) => {
      await open.end();
      return false;
    },
    (error: unknown) => {
      if (error instanceof ConnectionError && error.code === INVALID_PASSWORD) return true;
      throw error;
    },
  );
  if (!refused)
    throw new UserError(`the old password of ${stale.role} still works: look at pgstack health --full`);
}
