import { refuseLostBackups } from "../operations/lost-backups.ts";
import type { Settings } from "../settings/settings.ts";

interface Outputs {
  readonly connection?: {
    readonly backupSchedule?: string | null;
    /** Absent: the stack was brought up before it told. */
    readonly backupVolume?: string | null;
  };
}

/** Refuses a stack whose backups are lost, by what it told when it was brought up last. */
export async function requireBackups(settings: Settings, { connection }: Outputs): Promise<void> {
  const { backup, backupDirectory, backupVolumeName, stack } = settings;
  if (!backup || typeof connection?.backupSchedule !== "string") return;
  const untold = backupDirectory === undefined ? backupVolumeName : null;
  const { backupVolume = untold } = connection;
  if (backupVolume !== null) await refuseLostBackups(stack, backupVolume);
}
