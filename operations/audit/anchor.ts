import { hostname } from "node:os";
import { join, resolve } from "node:path";
import { linesOf } from "../log-lines.ts";
import { literal } from "../sql.ts";
import { queryAsSuperuser, runAsSuperuser } from "../superuser.ts";
import type { Target } from "../target.ts";
import { type AuditHead, auditFileNames, readHead } from "./files.ts";

/** How far an audit log had come when it was last anchored in the server. */
export interface AuditAnchor extends AuditHead {
  /** UTC. */
  readonly at: string;
}

/** Anchors by where their logs are. */
export type AuditAnchors = Readonly<Record<string, AuditAnchor>>;

/** How {@link anchorAudit} ended. `differs`: the log is not the one that is anchored, and the anchor stays as it is. */
export type Anchored = "anchored" | "nothing to anchor" | "differs";

const MARK = "pgstack audit anchors: ";
/** Throw-away machines have a folder of their own each: the oldest go. */
const MOST_LOGS = 50;
const TIMEOUT_MILLISECONDS = 10_000;

/** What a log is known by in the server: its stack, machine and folder. */
export function auditPlace(logsDirectory: string, stack: string): string {
  return `${stack}@${hostname()}:${resolve(logsDirectory)}`;
}

/**
 * The anchors that a server holds, in the comment of the tablespace pg_global: all databases share it, no snapshot or dump of a
 * database replaces it, and nobody but the superuser writes it, not even who may write all data.
 *
 * @throws ContainerNotRunning, SqlError
 */
export async function readAnchors(target: Target): Promise<AuditAnchors> {
  const [row] = await queryAsSuperuser<{ comment: string | null }>(
    target,
    "SELECT shobj_description(oid, 'pg_tablespace') AS comment FROM pg_tablespace WHERE spcname = 'pg_global'",
    { timeoutMilliseconds: TIMEOUT_MILLISECONDS },
  );
  const comment = row?.comment ?? "";
  if (!comment.startsWith(MARK)) return {};
  try {
    return JSON.parse(comment.slice(MARK.length)) as AuditAnchors;
  } catch {
    return {};
  }
}

/**
 * Anchors a log's count and last hash in its server. A log that does not go on from what is anchored leaves the anchor as it is,
 * so that whoever has removed or replaced it cannot hide that by another operation.
 *
 * @param replace Anchor such a log all the same.
 */
export async function anchorAudit(
  target: Target,
  logsDirectory: string,
  { replace = false }: { readonly replace?: boolean } = {},
): Promise<Anchored> {
  const head = await readHead(logsDirectory, target.stack);
  if (typeof head !== "object") return "nothing to anchor";
  const anchors = await readAnchors(target);
  const place = auditPlace(logsDirectory, target.stack);
  const anchor = anchors[place];
  if (anchor !== undefined && !replace) {
    if (!(await goesOnFrom(anchor, head, logsDirectory, target.stack))) return "differs";
    if (anchor.records === head.records) return "anchored";
  }
  const all = { ...anchors, [place]: { ...head, at: new Date().toISOString() } };
  const kept = Object.entries(all)
    .sort(([, left], [, right]) => (left.at < right.at ? 1 : -1))
    .slice(0, MOST_LOGS);
  const comment = literal(MARK + JSON.stringify(Object.fromEntries(kept)));
  await runAsSuperuser(target, `COMMENT ON TABLESPACE pg_global IS ${comment};`, {
    timeoutMilliseconds: TIMEOUT_MILLISECONDS,
  });
  return "anchored";
}

async function goesOnFrom(
  anchor: AuditAnchor,
  head: AuditHead,
  logsDirectory: string,
  stack: string,
): Promise<boolean> {
  if (head.records <= anchor.records) {
    return head.records === anchor.records && head.lastHash === anchor.lastHash;
  }
  for (const name of (await auditFileNames(logsDirectory, stack)).reverse()) {
    for await (const { bytes } of linesOf(join(logsDirectory, name))) {
      // Most lines are of other records: only the one that has both is looked for.
      if (bytes.includes(anchor.lastHash) && bytes.includes(`"sequence":${anchor.records},`)) return true;
    }
  }
  return false;
}
