import { z } from "zod";
import { backupKeys } from "./groups/backup.ts";
import { containerKeys } from "./groups/container.ts";
import { databaseKeys } from "./groups/database.ts";
import { dockerNameKeys } from "./groups/docker-names.ts";
import { healthKeys } from "./groups/health.ts";
import { networkKeys } from "./groups/network.ts";
import { passwordKeys } from "./groups/passwords.ts";
import { restoreKeys } from "./groups/restore.ts";
import { serverKeys } from "./groups/server.ts";
import { stackKeys } from "./groups/stack.ts";
import { testingKeys } from "./groups/testing.ts";
import { tlsKeys } from "./groups/tls.ts";
import { upgradeKeys } from "./groups/upgrade.ts";

/**
 * The config of a stack, key by key. Each value comes as the text that Pulumi keeps; lists and maps as the values that
 * their JSON text holds. What one value alone can tell is checked here, what several tell together in combinations.ts.
 */
export const settingsSchema = z.strictObject({
  ...stackKeys,
  ...databaseKeys,
  ...dockerNameKeys,
  ...networkKeys,
  ...serverKeys,
  ...containerKeys,
  ...tlsKeys,
  ...passwordKeys,
  ...backupKeys,
  ...restoreKeys,
  ...upgradeKeys,
  ...testingKeys,
  ...healthKeys,
});

/** The values given, each fit alone; a key without a default of its own may be missing. */
export type Given = z.output<typeof settingsSchema>;
export type SettingKey = keyof Given;

/** All keys, in the order of the reference. */
export const SETTING_KEYS = Object.keys(settingsSchema.shape) as readonly SettingKey[];
