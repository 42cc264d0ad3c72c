import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { writeWhole } from "../files.ts";

/** Where ALTER SYSTEM, and so a recovery, leaves its settings. */
const AUTOMATIC = "postgresql.auto.conf";

/** Takes out what pgBackRest has left there for a recovery that is over: no later server knows the archive that it names. */
export async function removeRecoverySettings(directory: string): Promise<void> {
  const path = join(directory, AUTOMATIC);
  const lines = (await readFile(path, "utf8")).split("\n");
  await writeWhole(
    path,
    lines.filter((line) => !/^\s*(restore_command|recovery_target\w*)\s*=/.test(line)).join("\n"),
  );
}
