import { writtenLogs } from "../operations/audit/written.ts";
import { note } from "./print.ts";

/**
 * Anchors in their servers the audit logs that this command has written to. A server that is away is anchored by the next
 * command: an anchor that is behind is none the worse.
 */
export async function anchorWritten(): Promise<void> {
  const logs = writtenLogs();
  // Most commands write none, and need not load what anchors.
  if (logs.length === 0) return;
  const { anchorAudit } = await import("../operations/audit.ts");
  const { knownTarget } = await import("./stack.ts");
  for (const { logsDirectory, stack } of logs) {
    const target = knownTarget(stack);
    if (target === undefined) continue;
    const anchored = await anchorAudit(target, logsDirectory).catch(() => undefined);
    if (anchored === "differs") {
      note(
        `pgstack: the audit log of stack ${stack} is not the one that was anchored: pgstack audit verify tells more`,
      );
    }
  }
}
