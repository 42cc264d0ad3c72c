import type { Combination } from "../combination.ts";
import { mismatch, type Problem } from "../problem.ts";

/** Keys of `tls` that belong to one mode only, or that the environment forbids. */
export function tlsProblems({ settings, given }: Combination): Problem[] {
  const { mode, certificatesDirectory, domain, validityDays, renewBeforeDays, names } = given.tls;
  const problems: Problem[] = [];
  const add = (key: string, value: unknown, right: string): unknown =>
    problems.push(mismatch([`tls.${key}`], value, right));
  const missing = (key: string, right: string): unknown =>
    problems.push({ keys: [`tls.${key}`], text: `is missing; tls.mode "files" needs ${right}` });

  if (mode === "off" && (settings.environment === "staging" || settings.environment === "production")) {
    problems.push(
      mismatch(["tls.mode", "environment"], mode, `generated or files in ${settings.environment}`),
    );
  }
  if (mode === "files") {
    if (certificatesDirectory === undefined)
      missing("certificatesDirectory", "the folder of the certificates");
    if (domain === undefined)
      missing("domain", "the name of the folder that holds fullchain.pem and privkey.pem");
    if (validityDays !== undefined) add("validityDays", validityDays, 'left out with tls.mode "files"');
    if (names !== undefined) add("names", names, 'left out with tls.mode "files"');
  } else if (certificatesDirectory !== undefined) {
    add(
      "certificatesDirectory",
      certificatesDirectory,
      `left out with tls.mode "${mode}", or the mode "files"`,
    );
  }
  const days = validityDays ?? 365;
  if (mode === "generated" && renewBeforeDays !== undefined && renewBeforeDays >= days) {
    add("renewBeforeDays", renewBeforeDays, `less than validityDays ${days}`);
  }
  return problems;
}
