import { LABEL_ENVIRONMENT } from "../../operations/target.ts";
import { DURABILITY, isOff } from "../../operations/testing/fast-settings.ts";
import { CONTAINER, dynamic, labelsOf, PRODUCTION, type Rule, record, STRICT, VOLUME } from "../rule.ts";

const NOT_TEST = ["development", "staging", "production"];
/** Days of backups that production keeps at least. */
const LEAST_DAYS = 7;

/** What must never be lost. */
export const dataRules: readonly Rule[] = [
  {
    name: "volumes-protected",
    reason: "A volume that goes takes its data with it.",
    remedy: "leave pgstack:protectVolumes on; pgstack:allowDestroyUntil permits a destroy for one time",
    environments: PRODUCTION,
    types: [VOLUME],
    check: ({ opts, props }, { allowDestroyUntil, now }) => {
      const permitted = allowDestroyUntil !== undefined && Date.parse(allowDestroyUntil) > now.getTime();
      return opts.protect || permitted ? undefined : `the volume ${props["name"]} is not protected`;
    },
  },
  {
    name: "durable",
    reason: "These switches make a server faster by losing data at its next crash.",
    remedy: `remove ${DURABILITY.join(", ")} from pgstack:serverSettings`,
    environments: NOT_TEST,
    types: [dynamic("ServerConfiguration")],
    check: (resource) => {
      const parameters = record(resource, "parameters");
      const name = DURABILITY.find((one) => isOff(parameters[one] as string));
      return name === undefined ? undefined : `${name} is off`;
    },
  },
  {
    name: "data-on-disk",
    reason: "What is in memory is gone when the container stops.",
    remedy: "remove pgstack:dataInMemory",
    environments: NOT_TEST,
    types: [VOLUME],
    check: (resource) =>
      record(resource, "driverOpts")["type"] === "tmpfs"
        ? `the volume ${resource.props["name"]} is in memory`
        : undefined,
  },
  {
    name: "reset-in-tests-only",
    reason: "A reset replaces the database.",
    remedy: "remove pgstack:testSnapshot, and set pgstack:environment to what the stack is for",
    environments: NOT_TEST,
    types: [dynamic("TestEnvironment"), dynamic("TestSnapshot")],
    check: () => "databases would be reset here",
  },
  {
    name: "environment-as-declared",
    reason: "What a container says it is for decides what may be done to it.",
    remedy: "let the label follow pgstack:environment",
    types: [CONTAINER],
    check: (resource, { environment }) => {
      const label = labelsOf(resource).get(LABEL_ENVIRONMENT);
      return label === undefined || label === environment
        ? undefined
        : `its label says ${label}, and pgstack:environment ${environment}`;
    },
  },
  {
    name: "backups-scheduled",
    reason: "What is not backed up is lost with its disk.",
    remedy: "set pgstack:backup to true",
    environments: STRICT,
    types: [dynamic("HealthCheck")],
    check: ({ props }) => (props["backupSchedule"] ? undefined : "there is no schedule of backups"),
  },
  {
    name: "backups-off-host",
    reason: "A backup on the host that it is of goes with it.",
    remedy: "set pgstack:backupS3 to an object storage elsewhere",
    environments: PRODUCTION,
    types: [dynamic("BackupConfiguration")],
    check: (resource) =>
      agentOf(resource).physical?.repositories?.includes("s3") === true
        ? undefined
        : "no backup leaves the host",
  },
  {
    name: "backups-undeletable",
    reason: "Whoever takes over the agent has the key of the object storage, and deletes every backup by it.",
    remedy: "set pgstack:backupS3.protection to versioned or locked (docs/backup.md)",
    // Stacks that are up would be stopped by a rule.
    advice: true,
    environments: STRICT,
    types: [dynamic("BackupConfiguration")],
    check: (resource) => {
      const { repositories = [], protection } = agentOf(resource).physical ?? {};
      return repositories.includes("s3") && protection === undefined
        ? "the stack's own key can delete all backups in the object storage"
        : undefined;
    },
  },
  {
    name: "backups-encrypted",
    reason: "A backup is all of the data, in places where nobody watches over it.",
    remedy: "leave pgstack:backupEncryption on",
    environments: STRICT,
    types: [dynamic("BackupConfiguration")],
    check: (resource) =>
      agentOf(resource).logical?.encrypted === true ? undefined : "backups are not encrypted",
  },
  {
    name: "backups-kept",
    reason: "A mistake is often noticed days later.",
    remedy: `set pgstack:backupKeepDays to ${LEAST_DAYS} or more`,
    environments: PRODUCTION,
    types: [dynamic("BackupConfiguration")],
    check: (resource) => {
      const days = agentOf(resource).retention?.days ?? 0;
      return days >= LEAST_DAYS ? undefined : `backups are kept for ${days} days`;
    },
  },
  {
    name: "backups-proven",
    reason: "A backup that was never restored may be none.",
    remedy: "leave pgstack:drillSchedule set",
    environments: STRICT,
    types: [dynamic("BackupConfiguration")],
    check: (resource) => (agentOf(resource).schedule?.drill ? undefined : "no drill is scheduled"),
  },
  {
    name: "final-backup",
    reason: "Who destroys by mistake must find a backup of the last moment.",
    remedy: "let the health check take a final backup, and ask for one that is proven",
    environments: PRODUCTION,
    types: [dynamic("HealthCheck")],
    check: ({ props }) =>
      props["finalBackup"] === true && props["requireProof"] === true
        ? undefined
        : "it goes without a proven backup",
  },
  {
    name: "destroy-needs-permission",
    reason: "A production stack goes on purpose, at a time that was said, or not at all.",
    remedy: "let the health check know until when it may go (pgstack:allowDestroyUntil)",
    environments: PRODUCTION,
    types: [dynamic("HealthCheck")],
    check: ({ props }) =>
      typeof props["destroyUntil"] === "string" ? undefined : "it may be destroyed at any time",
  },
];

interface Agent {
  readonly logical?: { readonly encrypted?: boolean };
  readonly physical?: { readonly repositories?: readonly string[]; readonly protection?: unknown };
  readonly retention?: { readonly days?: number };
  readonly schedule?: { readonly drill?: string };
}

function agentOf({ props }: { readonly props: Readonly<Record<string, unknown>> }): Agent {
  return JSON.parse(String(props["agent"] ?? "{}")) as Agent;
}
