/**
 * A client of its own that signs in with wrong passwords, several at a time; run as a program, so that its own work does
 * not slow down the test that watches. Reads its orders from standard input and prints how often which SQLSTATE came.
 */
import { text } from "node:stream/consumers";
import { Client } from "pg";

export interface WrongPasswordOrders {
  readonly host: string;
  readonly port: number;
  readonly role: string;
  readonly database: string;
  readonly authority: string;
  readonly serverName: string;
  readonly attempts: number;
  readonly atOnce: number;
}

const orders: WrongPasswordOrders = JSON.parse(await text(process.stdin));
const outcomes: Record<string, number> = {};
let begun = 0;
await Promise.all(
  Array.from({ length: orders.atOnce }, async () => {
    while (begun < orders.attempts) {
      begun += 1;
      const outcome = await attempt(`wrong-${begun}-password`);
      outcomes[outcome] = (outcomes[outcome] ?? 0) + 1;
    }
  }),
);
process.stdout.write(JSON.stringify(outcomes));

async function attempt(password: string): Promise<string> {
  const { host, port, role: user, database, authority: ca, serverName: servername } = orders;
  const client = new Client({ host, port, user, password, database, ssl: { ca, servername } });
  client.on("error", () => {});
  try {
    await client.connect();
    await client.end();
    return "signed in";
  } catch (error) {
    return error instanceof Error && "code" in error ? String(error.code) : String(error);
  }
}
