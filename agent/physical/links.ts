import { readdir, readlink } from "node:fs/promises";
import { join } from "node:path";
import type { AgentConfiguration } from "../configuration.ts";
import type { Context } from "../context.ts";
import { Refusal } from "../failure.ts";
import { info } from "./info.ts";
import { pgbackrest } from "./pgbackrest.ts";

/** Tablespaces are links here, and their folders have a name that PostgreSQL gives. */
const TABLESPACES = "pg_tblspc";

/**
 * pgBackRest copies what links in the data directory point to, as its own container sees it. PostgreSQL makes none; who has taken
 * the server over could have the agent's keys copied into a backup, and so into the data of a restore.
 *
 * @throws Refusal that names each link.
 */
export async function refuseLinks({
  dataDirectory,
}: Pick<AgentConfiguration, "dataDirectory">): Promise<void> {
  const entries = await readdir(dataDirectory, { recursive: true, withFileTypes: true });
  const links = entries.filter(
    (entry) => entry.isSymbolicLink() && entry.parentPath !== join(dataDirectory, TABLESPACES),
  );
  const found = links.map(async ({ parentPath, name }) => {
    const path = join(parentPath, name);
    return { name: path.slice(dataDirectory.length + 1), destination: await readlink(path).catch(() => "?") };
  });
  refuse(await Promise.all(found), "no backup was taken");
}

/**
 * A link may have come and gone while the backup ran: then the backup is removed at once.
 *
 * @throws Refusal that names each link that it has followed.
 */
export async function removeWithLinks(
  configuration: AgentConfiguration,
  { label, repository }: { readonly label: string; readonly repository: number },
  context: Pick<Context, "signal">,
): Promise<void> {
  const backup = (await info(configuration, context, { repository, label }))?.backup[0];
  const links = backup?.link ?? [];
  if (links.length === 0) return;
  await pgbackrest(configuration, "expire", {
    options: [`--set=${label}`, `--repo=${repository}`],
    context,
  });
  refuse(links, `backup ${label} was removed`);
}

function refuse(
  links: readonly { readonly name: string; readonly destination: string }[],
  outcome: string,
): void {
  if (links.length === 0) return;
  const named = links.slice(0, 5).map(({ name, destination }) => `${name} -> ${destination}`);
  throw new Refusal(
    `the data directory holds links, which PostgreSQL makes none of and a backup would follow: ${named.join(", ")}; ${outcome}: find out who made them, and remove them`,
  );
}
