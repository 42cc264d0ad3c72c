import { spawn } from "node:child_process";
import { createInterface } from "node:readline";
import type { Context } from "../context.ts";
import { endWith } from "../program.ts";
import { clientEnvironment, type Server } from "../sql.ts";

/**
 * Runs work while a transaction holds one view of a database for all who name it: the dump and the counts that it is
 * compared with later see the same rows.
 *
 * Source: https://www.postgresql.org/docs/16/functions-admin.html#FUNCTIONS-SNAPSHOT-SYNCHRONIZATION
 */
export async function withSnapshot<Value>(
  server: Server,
  database: string,
  { signal }: Pick<Context, "signal">,
  work: (snapshot: string) => Promise<Value>,
): Promise<Value> {
  const session = spawn(
    "psql",
    ["--no-psqlrc", "--quiet", "--no-align", "--tuples-only", "--set=ON_ERROR_STOP=1"],
    {
      stdio: ["pipe", "pipe", "pipe"],
      env: { ...process.env, ...clientEnvironment(server, database) },
    },
  );
  const release = endWith(session, signal);
  session.stdin.on("error", () => {});
  let complaint = "";
  session.stderr.on("data", (piece) => {
    complaint += String(piece);
  });
  const ended = new Promise<void>((resolve) => session.once("close", () => resolve()));
  try {
    session.stdin.write("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY;\nSELECT pg_export_snapshot();\n");
    const reader = createInterface({ input: session.stdout });
    const line = new Promise<string>((resolve) => reader.once("line", resolve));
    const snapshot = await Promise.race([line, ended.then(() => undefined)]);
    signal.throwIfAborted();
    if (snapshot === undefined) throw new Error(`no snapshot of ${database} can be had: ${complaint.trim()}`);
    return await work(snapshot);
  } finally {
    release();
    session.stdin.end();
    await ended;
  }
}
