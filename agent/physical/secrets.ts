import { createHash } from "node:crypto";
import { readFile } from "node:fs/promises";
import type { AgentConfiguration } from "../configuration.ts";
import type { Context } from "../context.ts";
import { isCode, Refusal } from "../failure.ts";
import { pgbackrest, repositoryConfigurationFile } from "./pgbackrest.ts";

/** Of fewer bytes nothing can be made, and other files could begin with them. */
const LEAST_BYTES = 16;

/**
 * Removes a backup that holds one of the agent's own secrets. A folder of the data directory that changes places with a link while
 * pgBackRest copies leaves no trace but that: a restore would hand the secret to the server.
 *
 * @throws Refusal that names the file.
 */
export async function removeWithSecrets(
  configuration: AgentConfiguration,
  { label, repository }: { readonly label: string; readonly repository: number },
  context: Pick<Context, "signal">,
): Promise<void> {
  const manifest = await pgbackrest(configuration, "repo-get", {
    options: [`--repo=${repository}`],
    path: [`backup/${configuration.physical.stanza}/${label}/backup.manifest`],
    context,
  });
  const found = holding(manifest, secretChecksums(await secrets(configuration)));
  if (found === undefined) return;
  await pgbackrest(configuration, "expire", {
    options: [`--set=${label}`, `--repo=${repository}`],
    context,
  });
  throw new Refusal(
    `backup ${label} was removed: ${found} of the data directory had the agent's own keys in it, which only a link that came and went can bring there: find out who has taken the server over`,
  );
}

/** The first file of a manifest whose content has one of the checksums. */
export function holding(manifest: string, checksums: ReadonlySet<string>): string | undefined {
  for (const [, name, checksum = ""] of manifest.matchAll(
    /^pg_data\/(.+?)=\{.*?"checksum":"([0-9a-f]{40})"/gm,
  )) {
    if (checksums.has(checksum)) return name;
  }
  return undefined;
}

/** SHA-1 of each beginning of the texts: pgBackRest copies no more of a file than it had when the backup began. */
export function secretChecksums(texts: readonly Buffer[]): Set<string> {
  const checksums = new Set<string>();
  for (const text of texts) {
    const hash = createHash("sha1");
    for (let length = 1; length <= text.length; length += 1) {
      hash.update(text.subarray(length - 1, length));
      if (length >= LEAST_BYTES) checksums.add(hash.copy().digest("hex"));
    }
  }
  return checksums;
}

async function secrets({ logical, physical }: AgentConfiguration): Promise<Buffer[]> {
  const files = [
    ...[logical.keyFile, physical.configurationFile],
    ...physical.repositories.map((repository) => repositoryConfigurationFile({ physical }, repository)),
  ];
  const texts = await Promise.all(
    [...new Set(files)].map((file) =>
      readFile(file).catch((error: unknown) => {
        if (isCode(error, "ENOENT")) return Buffer.alloc(0);
        throw error;
      }),
    ),
  );
  return texts;
}
