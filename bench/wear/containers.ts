import { agentContainer } from "../../operations/agent.ts";
import { dockerEngine } from "../../operations/docker.ts";
import type { Target } from "../../operations/target.ts";
import { shell } from "../pgbench.ts";

/** The agent's container as a place to run something in. */
export function agentOf(target: Target): Target {
  return { ...target, container: agentContainer(target.container) };
}

/**
 * Bytes that the processes of a container have handed to write calls since it started; what has ended counts with the process
 * that it was a child of. What reaches the disk is counted by the page cache in pieces that may be much larger than the write.
 *
 * Source: proc_pid_io(5), wchar
 */
export async function writtenBytes(target: Target): Promise<number> {
  const script = `cat /proc/[0-9]*/io 2>/dev/null | awk '/^wchar/ { sum += $2 } END { printf "%d", sum }'`;
  return Number(await shell(target, script));
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
