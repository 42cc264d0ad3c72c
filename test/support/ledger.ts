import type { BackupEntry } from "../../agent/entry.ts";
import type { AgentStatus } from "../../agent/status.ts";
import { callAgent } from "../../operations/agent.ts";
import { dockerEngine } from "../../operations/docker.ts";
import { executeInContainer } from "../../operations/execute.ts";
import { queryAsSuperuser } from "../../operations/superuser.ts";
import type { LiveStack } from "./security/live-stack.ts";

/** A table of entries whose commits were acknowledged, to be compared with what a restore leaves of it. */
export class Ledger {
  readonly #stack: LiveStack;

  private constructor(stack: LiveStack) {
    this.#stack = stack;
  }

  static async create(stack: LiveStack): Promise<Ledger> {
    await stack.write(
      "CREATE TABLE public.ledger (entry text PRIMARY KEY, at timestamptz DEFAULT clock_timestamp());",
    );
    return new Ledger(stack);
  }

  /** Commits an entry. @returns The moment right after it, as the server sees it. */
  async commit(entry: string): Promise<string> {
    await this.#stack.write(`INSERT INTO public.ledger (entry) VALUES ('${entry}');`);
    const sql = `SELECT to_char(clock_timestamp() AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"') AS at`;
    const [row] = await queryAsSuperuser<{ at: string }>(this.#stack.target, sql);
    return row?.at ?? "";
  }

  /** What is there, in the order of the commits. */
  async entries(): Promise<string[]> {
    const sql = "SELECT entry FROM public.ledger ORDER BY at, entry";
    const rows = await queryAsSuperuser<{ entry: string }>(this.#stack.target, sql, { database: "app" });
    return rows.map(({ entry }) => entry);
  }
}

/** Has all commits until now handed over to the archive. */
export async function archiveAll({ target }: LiveStack): Promise<void> {
  await callAgent(target, "archive-now");
}

/** Takes away what a server needs to start, and ends it. */
export async function destroyDataDirectory({ target }: LiveStack): Promise<void> {
  await executeInContainer(target, {
    command: ["sh", "-c", 'rm -r "$PGDATA"/base "$PGDATA"/global/pg_control "$PGDATA"/pg_wal/0*'],
  });
  await dockerEngine().getContainer(target.container).kill();
}

/** Keeps backups from being taken from the moment that the lock is free until the result is called. */
export function blockBackups({ target }: LiveStack): () => Promise<void> {
  const release = new AbortController();
  const holding = callAgent(
    target,
    "hold",
    { purpose: "a test", waitSeconds: 600 },
    { signal: release.signal },
  );
  holding.catch(() => {});
  return async () => {
    release.abort();
    await holding.catch(() => {});
  };
}

/** How the agent sees the stack's backups. */
export function agentStatus({ target }: LiveStack): Promise<AgentStatus> {
  return callAgent<AgentStatus>(target, "status");
}

/** The backups that are there. */
export async function backups({ target }: LiveStack): Promise<readonly BackupEntry[]> {
  return (await callAgent<{ entries: BackupEntry[] }>(target, "list")).entries;
}
