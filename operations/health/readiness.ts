import type { HealthCheck } from "./check.ts";
import type { Finding } from "./report.ts";

/** The server accepts connections over TCP inside its container (over the socket it answers too early). */
export const readiness: HealthCheck = {
  name: "readiness",
  quick: true,
  async run({ inside, target }) {
    const { readyCode, held } = await inside();
    return evaluateReadiness(readyCode, target.port, held);
  },
};

/**
 * Judges the exit code of pg_isready: https://www.postgresql.org/docs/16/app-pg-isready.html
 *
 * @param held Why the container holds the server back; absent while it does not.
 */
export function evaluateReadiness(exitCode: number, port: number, held?: string): Finding {
  if (held !== undefined && exitCode !== 0) return { status: "failed", message: `held: ${held}` };
  switch (exitCode) {
    case 0:
      return { status: "ok", message: `accepts connections on port ${port}` };
    case 1:
      return { status: "failed", message: "rejects connections: it is starting, stopping or recovering" };
    case 2:
      return { status: "failed", message: `no answer on port ${port}` };
    default:
      return { status: "failed", message: `could not be asked: pg_isready ended with code ${exitCode}` };
  }
}
