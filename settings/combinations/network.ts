import { isLoopback } from "../addresses.ts";
import type { Combination } from "../combination.ts";
import { mismatch, type Problem } from "../problem.ts";

/** What a published port needs: rights, and on an address that others reach, encryption and known clients. */
export function networkProblems({ settings, context }: Combination): Problem[] {
  if (!settings.publish) return [];
  const problems: Problem[] = [];
  if (settings.publishPort < 1024 && !context.isRoot) {
    problems.push(
      mismatch(
        ["publishPort", "publish"],
        settings.publishPort,
        "from 1024 to 65535, or the stack run as root",
      ),
    );
  }
  if (isLoopback(settings.publishAddress)) return problems;
  if (settings.tls.mode === "off" && settings.environment !== "test") {
    problems.push(
      mismatch(
        ["publishAddress", "tls", "publish", "environment"],
        settings.publishAddress,
        '127.0.0.1 while tls.mode is "off": others could read what goes over it',
      ),
    );
  }
  const everywhere = settings.clientAddresses.find((network) => network.endsWith("/0"));
  if (settings.environment === "production" && everywhere !== undefined) {
    problems.push(
      mismatch(
        ["clientAddresses", "publishAddress", "publish", "environment"],
        settings.clientAddresses,
        `the clients' own networks where production publishes on ${settings.publishAddress}`,
      ),
    );
  }
  return problems;
}
