import { createReadStream } from "node:fs";
import { streamInContainer } from "../execute/stream.ts";
import { sqlError } from "../superuser/sql-error.ts";
import { psqlExecution } from "../superuser.ts";
import type { Target } from "../target.ts";
import { UserError } from "../user-error.ts";

/**
 * Runs an SQL file in a database, all or nothing, as the superuser.
 *
 * @throws UserError with the server's message and the line.
 */
export async function loadSql(
  target: Target,
  { database, file, name }: { readonly database: string; readonly file: string; readonly name: string },
  signal?: AbortSignal,
): Promise<void> {
  const execution = psqlExecution(target, {
    database,
    searchPath: '"$user", public',
    singleTransaction: true,
  });
  const { exitCode, stderr } = await streamInContainer(
    target,
    { ...execution, ...(signal === undefined ? {} : { signal }) },
    { input: createReadStream(file), onOutput: () => {} },
  );
  if (exitCode !== 0) throw new UserError(`${name} cannot be loaded: ${sqlError(stderr, exitCode).message}`);
}
