import { existsSync } from "node:fs";
import type { Target } from "../../operations/target.ts";
import { UserError } from "../../operations/user-error.ts";
import { type Config, makeStackAfter, readConfig, settingsFile } from "../new-stack.ts";
import type { Stack } from "../stack.ts";
import { runPulumiQuietly, WITHOUT_POLICIES } from "../up.ts";

/** Where an upgrade goes to. */
export interface Destination {
  /** Image reference. */
  readonly image: string;
  readonly major: number;
  readonly into: string;
}

/** What the way back may hold of the write-ahead log before it is given up: the disk is worth more. */
const MOST_KEPT_WAL = "8GB";

/**
 * Makes the new stack after the old one. Nothing is brought up.
 *
 * @param changes Settings that the new one has besides.
 */
export async function makeUpgradeStack(
  old: Stack,
  { image, major, into }: Destination,
  changes: Readonly<Record<string, unknown>> = {},
): Promise<void> {
  const { stack, container, port } = old.target;
  const config = await readConfig(stack);
  await makeStackAfter(stack, config, into, {
    plain: {
      ...{ ...changes, image, majorVersion: major, backup: true, upgradeFrom: { container, port } },
      serverSettings: {
        max_slot_wal_keep_size: MOST_KEPT_WAL,
        ...objectOf(config, "serverSettings"),
        // The way back replicates.
        wal_level: "logical",
      },
    },
  });
}

/**
 * Whether an earlier try has made the new stack.
 *
 * @throws UserError where a stack of this name is there that was made for something else.
 */
export async function findUpgradeStack(into: string, { container }: Target): Promise<boolean> {
  if (!existsSync(settingsFile(into))) return false;
  if (objectOf(await readConfig(into), "upgradeFrom")["container"] === container) return true;
  throw new UserError(
    `stack ${into} is there already and was not made for this upgrade: --into must name a new stack`,
  );
}

function objectOf(config: Config, key: string): Readonly<Record<string, unknown>> {
  const { value, objectValue } = config[`pgstack:${key}`] ?? {};
  if (typeof objectValue === "object" && objectValue !== null) return { ...objectValue };
  return value === undefined ? {} : JSON.parse(value);
}

/** Brings a stack up; what Pulumi says is shown only where it fails. */
export async function bringUp(stack: string): Promise<void> {
  await runPulumiQuietly(stack, ["up", "--yes", "--skip-preview", "--suppress-outputs"], WITHOUT_POLICIES);
}

/** Takes a rehearsal's stack down, whatever of it is there, and removes it. */
export async function takeDown(stack: string): Promise<void> {
  if (!existsSync(settingsFile(stack))) return;
  const environment = { PGSTACK_FINAL_BACKUP: "skip" };
  await runPulumiQuietly(stack, ["destroy", "--yes", "--skip-preview"], environment);
  await runPulumiQuietly(stack, ["stack", "rm", "--yes"]);
}
