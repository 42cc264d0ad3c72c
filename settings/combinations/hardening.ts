import { weakening } from "../../operations/postgresql-conf/weakening-parameters.ts";
import { DURABILITY } from "../../operations/testing/fast-settings.ts";
import type { Combination } from "../combination.ts";
import { mismatch, type Problem } from "../problem.ts";
import { inServerSettings } from "./server.ts";

/** Rules of the policies whose exceptions count here, too. */
export const HARDENING_RULES = ["server-settings-safe", "backup-key-strong", "access-keys-secret"] as const;
/** A key that is tried out, byte by byte, is found when it is shorter. */
export const LEAST_KEY_LENGTH = 24;
/** Characters that differ in a key of that length. */
const LEAST_DIFFERENT = 10;
/** Settings that hold keys. */
const KEYS = ["backupKey", "backupS3", "restore"] as const;

/** What staging and production forbid as it would make them weaker than they look. */
export function hardeningProblems({ settings, context }: Combination): Problem[] {
  const { environment, serverSettings, backupKey } = settings;
  if (environment !== "staging" && environment !== "production") return [];
  const accepted = (rule: (typeof HARDENING_RULES)[number]): boolean => context.accepted?.has(rule) === true;
  const problems: Problem[] = [];
  if (!accepted("server-settings-safe")) {
    for (const [name, value] of Object.entries(serverSettings)) {
      const found = weakening(name, value);
      // combinations/safety.ts refuses those outside of tests.
      if (found === undefined || DURABILITY.some((one) => one === name)) continue;
      problems.push(
        inServerSettings(serverSettings, name, `${found.right} in ${environment}: ${found.reason}`),
      );
    }
  }
  if (backupKey !== undefined && !isStrongKey(backupKey) && !accepted("backup-key-strong")) {
    const right = `at least ${LEAST_KEY_LENGTH} characters in ${environment}, as pgstack backups --show-key prints them: a short key can be tried out`;
    problems.push(mismatch(["backupKey", "environment"], backupKey, right));
  }
  for (const key of KEYS) {
    if (accepted("access-keys-secret") || !holdsKey(settings, key) || isSecret(context.secretKeys, key))
      continue;
    const path = key === "backupKey" ? key : `${key === "restore" ? "restore.from.s3" : key}.secret`;
    problems.push({
      keys: [key],
      text: `holds a key as plain text, which ${environment} does not take: pulumi config set --secret --path --stack ${settings.stack} 'pgstack:${path}'`,
    });
  }
  return problems;
}

/** Whether a key cannot be tried out, as far as its text tells. */
export function isStrongKey(key: string): boolean {
  return key.length >= LEAST_KEY_LENGTH && new Set(key).size >= LEAST_DIFFERENT;
}

function holdsKey(
  { backupKey, backupS3, restore }: Combination["settings"],
  key: (typeof KEYS)[number],
): boolean {
  if (key === "backupKey") return backupKey !== undefined;
  if (key === "backupS3") return backupS3 !== undefined;
  return restore?.from?.s3 !== undefined || restore?.from?.encryptionKey !== undefined;
}

function isSecret(secretKeys: readonly string[] | undefined, key: string): boolean {
  return secretKeys?.some((name) => name === key || name === `pgstack:${key}`) === true;
}
