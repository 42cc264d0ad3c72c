import { readFile } from "node:fs/promises";
import { join } from "node:path";
import type { AgentConfiguration } from "../configuration.ts";
import { isCode } from "../failure.ts";
import { writeWhole } from "../files.ts";
import type { OldStack } from "./link.ts";

/** How the data comes into the new stack. */
export type Method = "dump" | "logical";

/** How far an upgrade has come. */
export type Phase =
  /** The new database follows the old one, which is in use. */
  | "following"
  /** The old database is closed, or about to be; which one is in use next is open. */
  | "switching"
  /** The new database is in use, and the old one follows it: there is a way back. */
  | "switched"
  /** The new database is closed, or about to be, and the old one comes back in use. */
  | "going back"
  /** The old database is in use again. */
  | "back"
  /** The way back is given up. */
  | "confirmed";

/** What an upgrade is about, kept with the new stack's backups so that the next run finds one that was cut off. */
export interface UpgradeState {
  readonly format: 1;
  readonly phase: Phase;
  /** False: databases are not opened, or streams not ended, as the phase has it. */
  readonly settled: boolean;
  /** Following, and near enough to take over. */
  readonly ready?: boolean;
  readonly method: Method;
  readonly old: OldStack;
  readonly startedAt: string;
  /** The streams bear a mark; earlier versions set none. */
  readonly marked?: boolean;
  readonly switchedAt?: string;
  /** Seconds in which neither database was open. */
  readonly downtimeSeconds?: number;
  /** Tables without a key that were told to log whole rows: on the old server, on the new one. */
  readonly wholeRows?: { readonly old: readonly string[]; readonly new: readonly string[] };
  /** The old database's own limit of connections. */
  readonly connectionLimit: number;
  /** Grants on the databases that a step under way has closed. */
  readonly grants?: { readonly old: string | null; readonly new: string | null };
}

/** The upgrade of this stack; undefined when there was none. */
export async function readUpgrade(configuration: AgentConfiguration): Promise<UpgradeState | undefined> {
  try {
    return JSON.parse(await readFile(stateFile(configuration), "utf8")) as UpgradeState;
  } catch (error) {
    if (isCode(error, "ENOENT")) return undefined;
    throw error;
  }
}

export async function writeUpgrade(configuration: AgentConfiguration, state: UpgradeState): Promise<void> {
  await writeWhole(stateFile(configuration), `${JSON.stringify(state, undefined, 2)}\n`);
}

function stateFile({ backupDirectory }: AgentConfiguration): string {
  return join(backupDirectory, "state", "upgrade.json");
}
