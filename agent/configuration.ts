import { readFile } from "node:fs/promises";
import type { Protection } from "./storage/protection.ts";

/** What the agent works on; written by the stack, without secrets. */
export interface AgentConfiguration {
  readonly format: 1;
  readonly stack: string;
  /** The application's database. */
  readonly database: string;
  readonly port: number;
  /** Folder of the server's socket. */
  readonly socketDirectory: string;
  readonly dataDirectory: string;
  readonly backupDirectory: string;
  /** Room for what is restored, the agent's alone. */
  readonly scratchDirectory: string;
  /** Shared with the sandbox, where the servers of throw-away clusters run. Absent: they run beside the agent. */
  readonly sandboxDirectory?: string;
  /** Processes that a dump, a restore or a physical backup uses at once. */
  readonly jobs: number;
  readonly logical: {
    readonly encrypted: boolean;
    /** File with what logical backups are encrypted with. */
    readonly keyFile: string;
  };
  readonly physical: {
    readonly stanza: string;
    /** pgBackRest's configuration. */
    readonly configurationFile: string;
    /** What each repository is called, in pgBackRest's order: `local`, `s3`. */
    readonly repositories: readonly string[];
    /** Folder with the names of segments that the object storage has not taken yet. */
    readonly queueDirectory: string;
    /** Days after which a scheduled backup is a full one. */
    readonly fullDays: number;
    /** Folder of the repository `local`, whose archive is listed without pgBackRest; absent: it is listed by it. */
    readonly localDirectory?: string;
    /** What the bucket of the repository `s3` is to protect it by; absent: nothing. */
    readonly protection?: Protection;
    /** The repository `s3` alone is read, as it was at a time; never in a file. */
    readonly asOf?: {
      /** As pgBackRest reads it: `2026-03-01 14:30:00+00`. */
      readonly time: string;
      /** pgBackRest's configuration of what is there now. */
      readonly present: string;
    };
  };
  /** Cron lines of five fields, in UTC. */
  readonly schedule: { readonly backup: string; readonly drill: string };
  readonly retention: Retention;
  readonly verification: {
    /** `schema.table`; empty: every table. */
    readonly coreTables: readonly string[];
    /** SQL whose every query must answer with true alone. */
    readonly sql: readonly { readonly name: string; readonly text: string }[];
  };
}

/** How many days, weeks and months keep their newest backup. */
export interface Retention {
  readonly days: number;
  readonly weeks: number;
  readonly months: number;
  /** Days that any point in time can be restored for. Absent: from the oldest backup on. */
  readonly pitrDays?: number;
}

/** Where the stack puts the configuration. */
const CONFIGURATION_FILE = "/etc/pgstack/agent.json";

/** Reads the agent's configuration; the variable PGSTACK_AGENT_CONFIGURATION names another file. */
export async function readConfiguration(): Promise<AgentConfiguration> {
  const file = process.env.PGSTACK_AGENT_CONFIGURATION ?? CONFIGURATION_FILE;
  const configuration = JSON.parse(await readFile(file, "utf8")) as AgentConfiguration;
  if (configuration.format !== 1) {
    throw new Error(`${file} is of format ${configuration.format}, and this agent knows format 1`);
  }
  return configuration;
}
