import { Command, Option } from "commander";
import type { Rollback, TargetRole, TenantTuples, Told, TupleChanges } from "../operations/memberships.ts";
import { withAdministrator } from "./administrator.ts";
import { UsageError } from "./exit-codes.ts";
import { jsonOption, stackName, taught } from "./options.ts";
import { printJson, printLine } from "./print.ts";

interface OpenFgaOptions {
  readonly openfgaUrl?: string;
  readonly openfgaStore?: string;
  readonly openfgaModel?: string;
}

interface RollbackCommandOptions extends OpenFgaOptions {
  readonly tenantRef: string;
  readonly userRef: string;
  readonly targetRole: TargetRole;
  readonly syncOpenfga: boolean;
  readonly force: boolean;
  readonly dryRun: boolean;
  readonly json: boolean;
}

/** `pgstack membership rollback|sync`. */
export function membershipCommand(): Command {
  const command = new Command("membership").description(
    "Memberships of tenants, in the database and at an OpenFGA server.",
  );
  command.addCommand(rollbackCommand(command));
  command.addCommand(syncCommand(command));
  return command;
}

function rollbackCommand(parent: Command): Command {
  const command = new Command("rollback")
    .description(
      "Bring a user's membership of a tenant to a role, in one transaction; done again it changes nothing.",
    )
    .requiredOption("--tenant-ref <ref>", "slug or id of the tenant")
    .requiredOption("--user-ref <ref>", "id of the user, or who it is at the identity provider")
    .addOption(
      new Option("--target-role <role>", "the role to have; none ends the membership")
        .choices(["owner", "admin", "member", "none"])
        .makeOptionMandatory(),
    )
    .option("--sync-openfga", "bring the tenant's tuples at OpenFGA in line as well", false)
    .option("--force", "also where the tenant is left without an owner", false)
    .option("--dry-run", "show what would change; nothing is changed", false)
    .addOption(jsonOption());
  for (const option of openFgaOptions()) command.addOption(option);
  command.action(async (options: RollbackCommandOptions) => {
    await rollBack(stackName(parent), options);
  });
  return taught(command, [
    [
      "pgstack membership rollback --tenant-ref acme --user-ref 'idp|7' --target-role member --dry-run",
      "what would change",
    ],
    [
      "pgstack membership rollback --tenant-ref acme --user-ref 'idp|7' --target-role none --sync-openfga",
      "end it, here and at OpenFGA",
    ],
  ]);
}

function syncCommand(parent: Command): Command {
  const command = new Command("sync")
    .description("Tell OpenFGA what it could not be told before.")
    .addOption(jsonOption());
  for (const option of openFgaOptions()) command.addOption(option);
  command.action(async (options: OpenFgaOptions & { readonly json: boolean }) => {
    const stack = stackName(parent);
    const tuples = await tuplesAt(options);
    const { tellOpenFga } = await import("../operations/memberships.ts");
    const { audited } = await import("../operations/audit.ts");
    const told = await withAdministrator(stack, "membership", ({ client, logsDirectory }) => {
      const parameters: Record<string, unknown> = {};
      return audited({ logsDirectory, stack }, "membership.sync", parameters, async () => {
        const done = await tellOpenFga(client, tuples);
        parameters.told = done;
        return done;
      });
    });
    if (options.json) return printJson({ told });
    for (const one of told) printLine(tupleLine(one));
    if (told.length === 0) printLine("Nothing was left to tell.");
  });
  return taught(command, [["pgstack membership sync", "after OpenFGA was away"]]);
}

async function rollBack(stack: string, options: RollbackCommandOptions): Promise<void> {
  const { tenantRef, userRef, targetRole, syncOpenfga: sync, force, dryRun, json } = options;
  const tuples = sync ? await tuplesAt(options) : undefined;
  const { rollBackMembership } = await import("../operations/memberships.ts");
  const { audited } = await import("../operations/audit.ts");
  await withAdministrator(stack, "membership", async ({ client, logsDirectory }) => {
    const wanted = { tenantRef, userRef, targetRole, sync, force, dryRun };
    if (dryRun) {
      const planned = await rollBackMembership(client, wanted);
      const openfga = await tuples?.plan(
        { tenantId: planned.tenant.id, userId: planned.user.id },
        planned.to,
      );
      if (json) return printJson({ ...planned, dryRun, ...(openfga ? { openfga } : {}) });
      printLine(`Nothing is changed by a dry run. ${changeLine(planned)}`);
      if (openfga) printLine(`OpenFGA: ${changesText(openfga)}`);
      return;
    }
    const parameters: Record<string, unknown> = { ...wanted };
    await audited({ logsDirectory, stack }, "membership.rollback", parameters, async () => {
      const done = await rollBackMembership(client, wanted);
      Object.assign(parameters, { tenant: done.tenant.id, user: done.user.id, from: done.from, to: done.to });
      if (!json) printLine(changeLine(done));
      const told = tuples ? await tell(client, tuples, done) : undefined;
      parameters.told = told;
      if (json) printJson({ ...done, dryRun, ...(told ? { openfga: told } : {}) });
      else for (const one of told ?? []) printLine(tupleLine(one));
    });
  });
}

async function tell(
  client: import("pg").Client,
  tuples: TenantTuples,
  { from, to }: Rollback,
): Promise<Told[]> {
  const { tellOpenFga } = await import("../operations/memberships.ts");
  const { errorLine, UserError } = await import("../operations/user-error.ts");
  try {
    return await tellOpenFga(client, tuples);
  } catch (error) {
    const stands = from === to ? "the database needed no change" : "the change in the database stands";
    throw new UserError(
      `${stands}, and OpenFGA does not know of it yet: ${errorLine(error)}. It is noted: the same command again, or pgstack membership sync, tells it`,
      { cause: error },
    );
  }
}

function openFgaOptions(): Option[] {
  return [
    new Option("--openfga-url <url>", "the OpenFGA server, such as http://127.0.0.1:8080").env("FGA_API_URL"),
    new Option("--openfga-store <id>", "its store").env("FGA_STORE_ID"),
    new Option("--openfga-model <id>", "its authorization model. Default: the latest").env("FGA_MODEL_ID"),
  ];
}

/** The token comes by the environment alone: arguments are seen in process lists. */
async function tuplesAt({ openfgaUrl, openfgaStore, openfgaModel }: OpenFgaOptions): Promise<TenantTuples> {
  if (!openfgaUrl || !openfgaStore) {
    throw new UsageError(
      "OpenFGA: --openfga-url and --openfga-store (or FGA_API_URL and FGA_STORE_ID) say which server and store; a token is FGA_API_TOKEN",
    );
  }
  if (!/^https?:\/\//.test(openfgaUrl) || !URL.canParse(openfgaUrl)) {
    throw new UsageError(`--openfga-url ${JSON.stringify(openfgaUrl)}: a URL such as http://127.0.0.1:8080`);
  }
  const token = process.env.FGA_API_TOKEN;
  const { TenantTuples } = await import("../operations/memberships.ts");
  return TenantTuples.at({
    ...{ url: openfgaUrl, storeId: openfgaStore },
    ...(openfgaModel === undefined ? {} : { modelId: openfgaModel }),
    ...(token ? { token } : {}),
  });
}

function changeLine({ tenant, user, from, to }: Rollback): string {
  const who = `${user.subject} in tenant ${tenant.slug}`;
  return from === to ? `${who} is ${to} already.` : `${who}: ${from} becomes ${to}.`;
}

function tupleLine({ tenantId, userId, ...changes }: Told): string {
  return `OpenFGA, user:${userId} of tenant:${tenantId}: ${changesText(changes)}`;
}

function changesText({ writes, deletes }: TupleChanges): string {
  const parts = [
    ...deletes.map((relation) => `${relation} goes`),
    ...writes.map((relation) => `${relation} comes`),
  ];
  return parts.length === 0 ? "in line already" : parts.join(", ");
}
