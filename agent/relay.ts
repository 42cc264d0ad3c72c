import { rm } from "node:fs/promises";
import { connect, createServer } from "node:net";

/** A socket to listen on, and the one that its connections are handed on to. */
export type Way = readonly [from: string, to: string];

/**
 * Hands connections on from one socket to another, until it is told to stop: so one server's socket is in another's folder.
 * Whoever connects is seen by the server as this process's user.
 *
 * @returns The exit code.
 */
export async function relay(ways: readonly Way[]): Promise<number> {
  for (const [from, to] of ways) await listen(from, to);
  await new Promise<void>((resolve) => {
    for (const name of ["SIGTERM", "SIGINT"] as const) process.once(name, () => resolve());
  });
  for (const [from] of ways) await rm(from, { force: true });
  return 0;
}

async function listen(from: string, to: string): Promise<void> {
  const server = createServer({ allowHalfOpen: true }, (client) => {
    const other = connect({ path: to, allowHalfOpen: true });
    // One that breaks off breaks the other off too; why stands in the server's log.
    client.on("error", () => {}).on("close", () => other.destroy());
    other.on("error", () => {}).on("close", () => client.destroy());
    client.pipe(other).pipe(client);
  });
  await rm(from, { force: true });
  await new Promise<void>((resolve, reject) => {
    server.once("error", reject);
    server.listen({ path: from, readableAll: true, writableAll: true }, resolve);
  });
  console.log(`${from} leads to ${to}`);
}
