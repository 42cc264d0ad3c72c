import type { Combination } from "../combination.ts";
import { bytesOf, memorySize } from "../memory-size.ts";
import { BASE_BYTES, CONNECTION_BYTES, memoryNeeded, processesNeeded, sharedMemoryNeeded } from "../needs.ts";
import { mismatch, type Problem } from "../problem.ts";

const MEGA = 1024 ** 2;

/** What the container's limits leave no room for. */
export function memoryProblems({ settings }: Combination): Problem[] {
  const problems: Problem[] = [];
  const limit = bytesOf(settings.memoryLimit);
  const ofLimit = `memoryLimit ${settings.memoryLimit}`;

  const most = Math.floor((limit * 3) / 4);
  const needed = memoryNeeded(settings);
  if (bytesOf(settings.sharedBuffers) > most) {
    problems.push(
      mismatch(
        ["sharedBuffers", "memoryLimit", "deriveMemory"],
        settings.sharedBuffers,
        `at most ${wholeMegabytes(most, Math.floor)}, three quarters of ${ofLimit}`,
      ),
    );
  } else if (needed > limit) {
    problems.push(
      mismatch(
        ["memoryLimit", "sharedBuffers", "maxConnections", "deriveMemory"],
        settings.memoryLimit,
        `at least ${wholeMegabytes(needed, Math.ceil)}: sharedBuffers ${settings.sharedBuffers}, ${memorySize(BASE_BYTES)} for the server and ${memorySize(CONNECTION_BYTES)} for each of ${settings.maxConnections} connections`,
      ),
    );
  }
  const inMemory = settings.dataInMemory === undefined ? 0 : bytesOf(settings.dataInMemory);
  if (inMemory > 0 && needed <= limit && needed + inMemory > limit) {
    problems.push(
      mismatch(
        ["memoryLimit", "dataInMemory"],
        settings.memoryLimit,
        `at least ${wholeMegabytes(needed + inMemory, Math.ceil)}: dataInMemory ${settings.dataInMemory} beside what the server needs`,
      ),
    );
  }
  for (const key of ["workMem", "maintenanceWorkMem", "shmSize"] as const) {
    if (bytesOf(settings[key]) > limit) {
      problems.push(mismatch([key, "memoryLimit"], settings[key], `at most ${ofLimit}`));
    }
  }

  const shared = sharedMemoryNeeded(settings);
  if (bytesOf(settings.shmSize) < shared) {
    problems.push(
      mismatch(
        ["shmSize", "workMem", "serverSettings", "deriveMemory", "memoryLimit"],
        settings.shmSize,
        `at least ${wholeMegabytes(shared, Math.ceil)}, which one parallel query may need with workMem ${settings.workMem}`,
      ),
    );
  }
  const processes = processesNeeded(settings);
  if (settings.pidsLimit < processes) {
    problems.push(
      mismatch(
        ["pidsLimit", "maxConnections", "serverSettings"],
        settings.pidsLimit,
        `at least ${processes}: a process for each of ${settings.maxConnections} connections, and the server's own`,
      ),
    );
  }
  return problems;
}

function wholeMegabytes(bytes: number, round: (megabytes: number) => number): string {
  return `${round(bytes / MEGA)}MB`;
}
