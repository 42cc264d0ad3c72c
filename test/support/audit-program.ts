import { appendAudit } from "../../operations/audit.ts";

// Run by the audit's tests, which kill it: appends records until then, and says so after each.
const [logsDirectory = "", stack = ""] = process.argv.slice(2);
while (true) {
  const entry = {
    operation: "crash",
    parameters: { filler: "x".repeat(500) },
    result: "ok",
    durationMilliseconds: 0,
  } as const;
  const { sequence } = await appendAudit({ logsDirectory, stack }, entry);
  process.stdout.write(`${sequence}\n`);
}
