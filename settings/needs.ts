import { bytesOf, type MemorySize } from "./memory-size.ts";
import { parameterNumber } from "./server-parameters.ts";
import type { Settings } from "./settings.ts";

const MEGA = 1024 ** 2;
/** What the server takes beside shared_buffers and connections: its own processes, locks, WAL buffers, statistics. */
export const BASE_BYTES = 64 * MEGA;
/** The least that one connection's process takes for itself; real ones take more, up to 10MB with many tables. */
export const CONNECTION_BYTES = MEGA;
/** Processes that come and go beside the server's: health checks, psql, backups through `docker exec`. */
const GUEST_PROCESSES = 20;

type ServerSettings = Pick<Settings, "serverSettings">;

/** The least memory that a server with these settings can work in, bytes. */
export function memoryNeeded(settings: Pick<Settings, "sharedBuffers" | "maxConnections">): number {
  return bytesOf(settings.sharedBuffers) + BASE_BYTES + settings.maxConnections * CONNECTION_BYTES;
}

/** Processes with every connection and worker at work. */
export function processesNeeded(settings: ServerSettings & Pick<Settings, "maxConnections">): number {
  const number = (name: string, fallback: number): number => parameterNumber(settings, name) ?? fallback;
  return (
    settings.maxConnections +
    number("max_worker_processes", 8) +
    number("autovacuum_max_workers", 3) +
    number("max_wal_senders", 10) +
    GUEST_PROCESSES
  );
}

/**
 * Bytes of /dev/shm that one parallel hash join may ask for: work_mem times hash_mem_multiplier for the leader and each
 * worker (https://www.postgresql.org/docs/16/runtime-config-resource.html#GUC-HASH-MEM-MULTIPLIER). With less the
 * query fails with "could not resize shared memory segment".
 */
export function sharedMemoryNeeded(settings: ServerSettings & { readonly workMem: MemorySize }): number {
  const workers = parameterNumber(settings, "max_parallel_workers_per_gather") ?? 2;
  const multiplier = parameterNumber(settings, "hash_mem_multiplier") ?? 2;
  return bytesOf(settings.workMem) * multiplier * (workers + 1);
}
