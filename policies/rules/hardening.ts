import type { ParameterValue } from "../../operations/postgresql-conf/defaults.ts";
import { weakening } from "../../operations/postgresql-conf/weakening-parameters.ts";
import { isStrongKey, LEAST_KEY_LENGTH } from "../../settings/combinations/hardening.ts";
import { REFUSED } from "../../settings/server-parameters.ts";
import { dynamic, type Rule, record, STRICT } from "../rule.ts";

/** What would make a server weaker than it looks; the settings are refused by the same lists. */
export const hardeningRules: readonly Rule[] = [
  {
    name: "server-settings-safe",
    reason:
      "Some settings of PostgreSQL turn off what protects data, its clients, or the record of what was done.",
    remedy: "remove it from pgstack:serverSettings (docs/settings.md names them all)",
    environments: STRICT,
    types: [dynamic("ServerConfiguration")],
    check: (resource) => {
      const parameters = record(resource, "parameters") as Readonly<Record<string, ParameterValue>>;
      for (const [name, value] of Object.entries(parameters)) {
        const refused = REFUSED.get(name.toLowerCase());
        if (refused !== undefined) return `${name} is set: ${refused}`;
        const found = weakening(name, value);
        if (found !== undefined)
          return `${name} is ${JSON.stringify(value)}, not ${found.right}: ${found.reason}`;
      }
      return undefined;
    },
  },
  {
    name: "backup-key-strong",
    reason: "Whoever gets hold of a backup tries its key out as often as he likes.",
    remedy: `leave pgstack:backupKey out, or take one of ${LEAST_KEY_LENGTH} characters or more`,
    environments: STRICT,
    types: [dynamic("BackupConfiguration")],
    check: ({ props }) => {
      const key = props["key"];
      return typeof key !== "string" || key === "" || isStrongKey(key)
        ? undefined
        : `backups would be encrypted with a key of ${key.length} characters`;
    },
  },
  {
    name: "access-keys-secret",
    reason: "Keys in plain settings are read by everybody who reads the repository.",
    remedy: "set it with pulumi config set --secret --path",
    environments: STRICT,
    types: [dynamic("BackupConfiguration")],
    // What is not a secret in the settings is found by the program, which knows how each came: settings/combinations/hardening.ts.
    check: ({ opts }) =>
      ["pgbackrest", "repositories", "key"].every((name) => opts.additionalSecretOutputs.includes(name))
        ? undefined
        : "keys would be plain in the state",
  },
];
