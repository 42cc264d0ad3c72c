import { setting } from "../documentation.ts";
import { memory } from "../memory-size.ts";
import { serverSettings } from "../server-parameters.ts";
import { flag, wholeNumber } from "../values.ts";

const RESTART = "A change restarts the server.";

/** The settings of PostgreSQL. Limits of the single values are the server's own. */
export const serverKeys = {
  maxConnections: setting(
    wholeNumber(1, 262143).default(100),
    "Most connections at the same time (max_connections).",
    { group: "Memory and server", fallback: "100", example: "200", caution: RESTART, common: true },
  ),
  sharedBuffers: setting(
    memory("128kB", "8TB").optional(),
    "Memory for the server's own cache (shared_buffers); at most three quarters of memoryLimit.",
    {
      group: "Memory and server",
      fallback: "256MB, or a quarter of memoryLimit with deriveMemory",
      example: "1GB",
      caution: RESTART,
      common: true,
    },
  ),
  effectiveCacheSize: setting(
    memory("8kB", "16TB").optional(),
    "What the planner may expect to find in all caches together (effective_cache_size). Nothing is set aside for it.",
    {
      group: "Memory and server",
      fallback: "1GB, or three quarters of memoryLimit with deriveMemory",
      example: "3GB",
    },
  ),
  workMem: setting(
    memory("64kB", "2047GB").optional(),
    "Memory for each sort or hash of each query before it goes to disk (work_mem).",
    { group: "Memory and server", fallback: "4MB, or derived with deriveMemory", example: "16MB" },
  ),
  maintenanceWorkMem: setting(
    memory("1MB", "2047GB").optional(),
    "Memory for each vacuum and each build of an index (maintenance_work_mem).",
    {
      group: "Memory and server",
      fallback: "64MB, or a sixteenth of memoryLimit with deriveMemory",
      example: "256MB",
    },
  ),
  deriveMemory: setting(
    flag().default(false),
    "Derive sharedBuffers, effectiveCacheSize, workMem and maintenanceWorkMem from memoryLimit. One that is given wins.",
    { group: "Memory and server", fallback: "false", example: "true", caution: RESTART, common: true },
  ),
  serverSettings: setting(
    serverSettings().default({}),
    "Any other setting of PostgreSQL 16 by its PostgreSQL name; checked by name, type and limits before anything is touched. Those that the stack keeps for itself are refused.",
    {
      group: "Memory and server",
      fallback: "none beside the stack's own",
      example: '{max_wal_size: 4GB, log_min_duration_statement: 500ms, "auto_explain.log_analyze": true}',
      caution: "Some settings restart the server; the preview says which.",
      structured: true,
      common: true,
    },
  ),
};
