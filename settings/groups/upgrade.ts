import * as z from "zod";
import { setting } from "../documentation.ts";
import { dockerName } from "../names.ts";
import type { UpgradeFromSettings } from "../settings.ts";
import { wholeNumber } from "../values.ts";

const EXAMPLE = 'a map such as {"container": "pgstack-shop"}';

/** What an upgrade to another major version needs while it is under way. */
export const upgradeKeys = {
  upgradeFrom: setting(
    z
      .strictObject(
        { container: dockerName(), port: wholeNumber(1, 65535).default(5432) },
        { error: EXAMPLE },
      )
      .transform((given): UpgradeFromSettings => given)
      .optional(),
    "The server of an older major version that this stack takes over from: its `container` and the `port` in it. `pgstack upgrade` sets it, and takes it away with `--confirm`.",
    {
      group: "Backup",
      fallback: "none",
      example: "{container: pgstack-shop}",
      structured: true,
      caution: "While it is set, each of the two servers reaches the other as its superuser.",
    },
  ),
};
