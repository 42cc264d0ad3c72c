import { agentContainer } from "../../operations/agent.ts";
import { dockerEngine } from "../../operations/docker.ts";
import type { Target } from "../../operations/target.ts";
import { shell } from "../pgbench.ts";

/** The agent's container as a place to run something in. */
export function agentOf(target: Target): Target {
  return { ...target, container: agentContainer(target.container) };
}

/**
 * Bytes that the programs of a container have had written to the disk since it started, as its control group counts them: what
 * they wait for, as a commit or a checkpoint does. What the kernel writes later by itself counts with version 2 alone.
 */
export async function writtenBytes({ container }: Target): Promise<number> {
  const { blkio_stats: blocks } = await dockerEngine().getContainer(container).stats({ stream: false });
  const entries = blocks?.io_service_bytes_recursive ?? [];
  return entries.reduce((sum, { op, value }) => (/^write$/i.test(op) ? sum + value : sum), 0);
}

/** Seconds of one core that a container has used since it started. */
export async function processorSeconds({ container }: Target): Promise<number> {
  const stats = await dockerEngine().getContainer(container).stats({ stream: false });
  return stats.cpu_stats.cpu_usage.total_usage / 1e9;
}

/** Segments in the local repository's archive. */
export async function archivedSegments(agent: Target): Promise<number> {
  return Number(await shell(agent, "find /backups/pgbackrest/archive -name '0*-*' | wc -l"));
}

/** Bytes of the log that the server has written, by its own count. */
export async function logBytes(target: Target): Promise<number> {
  return Number(await shell(target, "psql -Atc 'SELECT wal_bytes FROM pg_stat_wal' app"));
}
