import { UserError } from "../operations/user-error.ts";
import { EXIT } from "./exit-codes.ts";
import { harmless, printJson, printLine, statusText } from "./print.ts";

/** `pgstack backups --protection`: how the bucket is found, and what it should be given. */
export async function showProtection(name: string, json: boolean): Promise<void> {
  const { openStack } = await import("./stack.ts");
  const { keyPolicy, lifecycleRule, readProtection } = await import("../operations/storage-protection.ts");
  const { target } = await openStack(name);
  const state = await readProtection(target);
  if (state === undefined) {
    throw new UserError(
      `nothing keeps stack ${name}'s own key from deleting its backups: pgstack:backupS3 with protection versioned or locked does`,
    );
  }
  const { mode, days, bucket, problems } = state;
  const [policy, lifecycle] = [keyPolicy(state, mode), lifecycleRule(state, days)];
  if (problems.length > 0) process.exitCode = EXIT.failed;
  if (json) {
    printJson({ ...state, policy, lifecycle });
    return;
  }
  for (const problem of problems) printLine(`${statusText("failed")}   ${harmless(problem)}`);
  if (problems.length === 0)
    printLine(
      `${statusText("ok")}   what is deleted from bucket ${bucket} by the stack's key stays (${mode}): tried on an object of its own`,
    );
  printLine(`
Policy of the user whose key the stack has:
${JSON.stringify(policy, undefined, 2)}

Lifecycle rule of the bucket, set with another key (aws s3api put-bucket-lifecycle-configuration); where the storage knows none,
pgstack backups --purge-versions does the same:
${JSON.stringify(lifecycle, undefined, 2)}`);
}
