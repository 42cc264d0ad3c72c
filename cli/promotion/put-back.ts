import type { Client } from "pg";
import { backUpIncrementally } from "../../operations/backup-before.ts";
import { ConnectionError } from "../../operations/connection.ts";
import {
  hashOfSettings,
  type Journal,
  promoting,
  removeJournal,
} from "../../operations/promotion/journal.ts";
import { errorLine, UserError } from "../../operations/user-error.ts";
import { writeWhole } from "../../operations/write-whole.ts";
import { PROJECT_DIRECTORY } from "../../toolchain/directories.mjs";
import { withAdministrator } from "../administrator.ts";
import { settingsFile } from "../new-stack.ts";
import { note } from "../print.ts";
import { pulumiUp } from "../up.ts";
import { type SchemaSince, schemaSince } from "./schema.ts";
import { readSettings } from "./settings-file.ts";

/** What taking a promotion back would do to the schema; undefined: the server does not answer. */
export async function whatPutBackDoes(stack: string, journal: Journal): Promise<SchemaSince | undefined> {
  requireOwnSettings(stack, journal, await readSettings(stack));
  if (isUntouched(journal)) return { migrations: [], made: [], written: [] };
  return await inSchema(stack, (client) => schemaSince(client, stack, journal));
}

/**
 * Takes back what a promotion has begun: its migrations by their way down, after a backup, then the settings. Settings and
 * schema that are not what the promotion wrote stay as they are.
 *
 * @param parameters Of the audit record; with a `backup` none is taken.
 * @throws UserError that says what stands; the journal stays, too.
 */
export async function putBack(
  stack: string,
  journal: Journal,
  parameters: Record<string, unknown> = {},
): Promise<void> {
  requireOwnSettings(stack, journal, await readSettings(stack));
  note(`Putting stack ${stack} back.`);
  if (isUntouched(journal)) {
    await writeWhole(settingsFile(stack), journal.settings, 0o644);
    await removeJournal(PROJECT_DIRECTORY, stack);
    return;
  }
  const isBack = await takeSchemaBack(stack, journal, parameters);
  await writeWhole(settingsFile(stack), journal.settings, 0o644);
  const code = await pulumiUp(stack, promoting(journal));
  if (code !== 0) {
    throw new UserError(
      `stack ${stack} could not be put back: its settings are as before, and pulumi up ended with ${code}. Fix what it says, then run pgstack promote ${journal.from} ${stack} --put-back again`,
    );
  }
  if (!isBack && !(await takeSchemaBack(stack, journal, parameters))) {
    throw new UserError(`stack ${stack} has its settings back, and its schema could not be looked at`);
  }
  await removeJournal(PROJECT_DIRECTORY, stack);
}

/** No `up` has begun to apply the promotion: the settings file is all that it has changed. */
function isUntouched({ at, applying }: Journal): boolean {
  return at !== undefined && applying !== true;
}

/** @throws UserError for settings that neither the promotion wrote nor it found. */
function requireOwnSettings(
  stack: string,
  { settings, settingsWritten, from }: Journal,
  present: string,
): void {
  if (present === settings || hashOfSettings(present) === settingsWritten) return;
  const why =
    settingsWritten === undefined
      ? "the promotion was made by an earlier version of pgstack, which did not note what it wrote"
      : "it was changed since the promotion wrote it";
  throw new UserError(
    `nothing was changed: Pulumi.${stack}.yaml is not put back: ${why}. npm start -- --stack ${stack} completes the promotion with it; pgstack promote ${from} ${stack} --forget ends it with everything as it is`,
  );
}

/** @returns False where the server does not answer: then it has not come as far as its schema, or its settings keep it down. */
async function takeSchemaBack(
  stack: string,
  journal: Journal,
  parameters: Record<string, unknown>,
): Promise<boolean> {
  if (journal.schemaVersion === undefined) return true;
  const to = journal.schemaVersion;
  const { migrate } = await import("../../operations/migrations.ts");
  const done = await inSchema(stack, async (client, session) => {
    const { migrations } = await schemaSince(client, stack, journal);
    if (migrations.length === 0) return true;
    if (session.hasBackups && parameters["backup"] === undefined) {
      parameters["backup"] = (await backUpIncrementally(session.target, "before put back"))?.id;
    }
    parameters["takenBack"] = migrations;
    const { users } = session;
    await migrate(client, { project: PROJECT_DIRECTORY, direction: "down", to, users });
    return true;
  });
  return done === true;
}

async function inSchema<Value>(
  stack: string,
  work: (client: Client, session: Parameters<Parameters<typeof withAdministrator>[2]>[0]) => Promise<Value>,
): Promise<Value | undefined> {
  try {
    return await withAdministrator(stack, "promote", (session) => work(session.client, session));
  } catch (error) {
    if (!(error instanceof ConnectionError)) throw error;
    note(`the schema could not be looked at: ${errorLine(error)}`);
    return undefined;
  }
}
