// Runs in the S3 server's container: asks it one thing over TLS, as the agent would.
import { join } from "node:path";
import { text } from "node:stream/consumers";

const { askStorage } = await import(join(import.meta.dirname, "agent/storage/request.ts"));
const [access, request] = JSON.parse(await text(process.stdin));
const answer = await askStorage(access, request, { signal: AbortSignal.timeout(30_000) });
process.stdout.write(JSON.stringify(answer));
