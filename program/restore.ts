import { readFile } from "node:fs/promises";
import { join } from "node:path";
import type { RestoredClusterArgs } from "../components/restored-cluster.ts";
import type { Settings } from "../settings/settings.ts";
import { agentLimits } from "./backup.ts";

/** PEM text of the authority of the object storage that is restored from; empty: a public one, or none. */
export async function restoreAuthority({ restore }: Settings): Promise<string> {
  const file = restore?.from?.s3?.authorityFile;
  return file === undefined ? "" : readFile(join(process.cwd(), file), "utf8");
}

/** What the settings say of the backups that a new stack begins with. */
export function seedArgs(
  settings: Settings,
  from: NonNullable<NonNullable<Settings["restore"]>["from"]>,
  authority: string,
  verificationSql: readonly { readonly name: string; readonly text: string }[],
): Pick<
  RestoredClusterArgs,
  "jobs" | "encrypted" | "local" | "storage" | "source" | "encryptionKey" | "limits" | "verification"
> {
  const { volume, directory, s3, encryptionKey } = from;
  const source =
    volume === undefined
      ? directory === undefined
        ? undefined
        : ({ type: "bind", place: directory } as const)
      : ({ type: "volume", place: volume } as const);
  return {
    jobs: Math.max(1, Math.min(8, Math.floor(settings.cpuLimit))),
    encrypted: encryptionKey !== undefined,
    local: s3 === undefined,
    ...(s3 === undefined ? {} : { storage: { ...s3, authority } }),
    ...(source === undefined ? {} : { source }),
    ...(encryptionKey === undefined ? {} : { encryptionKey }),
    limits: agentLimits(settings),
    verification: { coreTables: settings.coreTables, sql: verificationSql },
  };
}
