import { Command, Option } from "commander";
import type { ServerAddress } from "../operations/connection.ts";
import type { RoleKind } from "../operations/health.ts";
import type { ServerTrust } from "../operations/target.ts";
import { roleOption, stackName, taught } from "./options.ts";
import { print, printJson, printLine } from "./print.ts";
import type { Stack } from "./stack.ts";

interface ConnectionInfoOptions {
  readonly role: RoleKind;
  readonly format: "text" | "json" | "env";
  readonly showSecrets: boolean;
  readonly verify: boolean;
}

/** `pgstack connection-info`. */
export function connectionInfoCommand(): Command {
  const command = new Command("connection-info")
    .description(
      "Print how a program connects as one of the roles, proven by a query made with these very values.",
    )
    .addOption(roleOption())
    .addOption(
      new Option("--format <format>", "form of the values").choices(["text", "json", "env"]).default("text"),
    )
    .option("--show-secrets", "with the password", false)
    .option("--no-verify", "print the values without trying them")
    .action(async (options: ConnectionInfoOptions) => {
      await show(stackName(command), options);
    });
  return taught(command, [
    ["pgstack connection-info --role readonly --format json", "for a program's configuration"],
    [
      'eval "$(pgstack connection-info --format env --show-secrets)"',
      "then psql, pg_dump and drivers connect by themselves",
    ],
  ]);
}

async function show(
  name: string,
  { role, format, showSecrets, verify }: ConnectionInfoOptions,
): Promise<void> {
  const { readStackWithCredentials, requireStackEngine } = await import("./stack.ts");
  const { serverAddress } = await import("../operations/connection.ts");
  const { connectionInfo, formatConnectionInfo } = await import("../operations/connection-info.ts");
  const { proveConnection } = await import("../operations/connection-info/prove.ts");
  const { authorityFile } = await import("./authority-file.ts");
  const { UserError } = await import("../operations/user-error.ts");
  const stack = await readStackWithCredentials(name);
  await requireStackEngine(stack);
  const { target, credentials } = stack;
  const address = await serverAddress(target, stack.published === undefined ? undefined : "published");
  const trust = trustAt(address, stack);
  const file = await authorityFile(name, trust);
  const made = {
    role,
    credential: credentials[role],
    trust,
    address,
    showSecrets,
    ...(file === undefined ? {} : { authorityFile: file }),
  };
  const info = connectionInfo(target, made);
  const proof = verify
    ? await proveConnection(target, info, made).catch((error: unknown) => {
        const reason = error instanceof Error ? error.message : String(error);
        throw new UserError(
          `these values do not work for ${credentials[role].role}: ${reason} (--no-verify prints them all the same)`,
        );
      })
    : undefined;
  if (format === "json") return printJson({ ...info, proof: proof ?? null });
  print(formatConnectionInfo(info, format));
  if (format === "text" && proof !== undefined) {
    const encryption = proof.tls === undefined ? "not encrypted" : proof.tls;
    printLine(
      `\nproven: ${proof.user} on ${proof.database}, PostgreSQL ${proof.serverVersion}, ${encryption}, ${proof.durationMilliseconds} ms`,
    );
  }
}

/** A generated certificate is made out to the published address too: clients then need to know one name only. */
function trustAt(address: ServerAddress, { trust, target }: Stack): ServerTrust | undefined {
  const made = trust !== undefined && trust.serverName === target.container;
  return made && address.via === "published" ? { ...trust, serverName: address.host } : trust;
}
