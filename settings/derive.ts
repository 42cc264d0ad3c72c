import { bytesOf, type MemorySize, memorySize } from "./memory-size.ts";

/** The four memory settings of PostgreSQL that a memory limit decides. */
export interface DerivedMemory {
  readonly sharedBuffers: MemorySize;
  readonly effectiveCacheSize: MemorySize;
  readonly maintenanceWorkMem: MemorySize;
  readonly workMem: MemorySize;
}

const KILO = 1024;
const MEGA = 1024 ** 2;
const GIGA = 1024 ** 3;

/**
 * Memory settings for a server that has a container of its own.
 *
 * - shared_buffers: a quarter, "a reasonable starting value"
 *   (https://www.postgresql.org/docs/16/runtime-config-resource.html#GUC-SHARED-BUFFERS).
 * - effective_cache_size: three quarters, "a more aggressive but still reasonable amount"
 *   (https://wiki.postgresql.org/wiki/Tuning_Your_PostgreSQL_Server).
 * - maintenance_work_mem: a sixteenth, from 1MB to 1GB, as a few autovacuum workers may each take it.
 * - work_mem: a third of what shared_buffers leaves, shared by all connections; from 64kB, the server's own least, to
 *   256MB, since a query may take it several times
 *   (https://www.postgresql.org/docs/16/runtime-config-resource.html#GUC-WORK-MEM).
 *
 * The three that are taken for real stay below 60 percent of the limit with every connection at work.
 */
export function deriveMemory(memoryLimit: MemorySize, maxConnections: number): DerivedMemory {
  const limit = bytesOf(memoryLimit);
  const shared = limit / 4;
  const sort = (limit - shared) / 3 / maxConnections;
  return {
    sharedBuffers: rounded(shared),
    effectiveCacheSize: rounded((limit * 3) / 4),
    maintenanceWorkMem: rounded(within(limit / 16, MEGA, GIGA)),
    workMem: rounded(within(sort, 64 * KILO, 256 * MEGA)),
  };
}

function within(bytes: number, least: number, most: number): number {
  return Math.min(most, Math.max(least, bytes));
}

/** Down to a whole megabyte, or kilobyte where that would lose much. */
function rounded(bytes: number): MemorySize {
  const step = bytes >= 8 * MEGA ? MEGA : KILO;
  return memorySize(Math.floor(bytes / step) * step);
}
