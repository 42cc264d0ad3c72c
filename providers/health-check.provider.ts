import type { FolderIdentity } from "../agent/identity.ts";
import { callAgent } from "../operations/agent.ts";
import { anchorAudit, audited } from "../operations/audit.ts";
import { saveBootstrapLog } from "../operations/bootstrap-log.ts";
import { clusterProblem, isInMemory } from "../operations/cluster-identity.ts";
import { dockerEngine, findVolume } from "../operations/docker.ts";
import { backUpLast } from "../operations/final-backup.ts";
import { markProven } from "../operations/first-provision.ts";
import { NoAgent, otherFolder, readBackupFolder } from "../operations/health/backup-folder.ts";
import { checkHealth } from "../operations/health.ts";
import { appendHealthLog } from "../operations/health-log.ts";
import { requirePermission } from "../operations/permission.ts";
import { waitUntilReady } from "../operations/readiness.ts";
import { releaseLog } from "../operations/release-log.ts";
import { inRunningContainer } from "../operations/running-container.ts";
import { readProtection } from "../operations/storage-protection.ts";
import { queryAsSuperuser } from "../operations/superuser.ts";
import { serverTrust, type Target } from "../operations/target.ts";
import { UserError } from "../operations/user-error.ts";
import { orAbandon } from "./first-provision.ts";
import type { HealthCheckInputs, HealthCheckResults } from "./health-check.ts";
import { dynamicProvider } from "./provider.ts";

/** Checks a server from all sides; the first check that passes makes its cluster one that no failed `up` may remove. */
export const provider = dynamicProvider<HealthCheckInputs, HealthCheckResults>({
  async create(inputs) {
    return { id: inputs.target.container, results: await check(inputs) };
  },
  async update(inputs, previous) {
    return check(inputs, previous);
  },
  async drift({ target, backupSchedule }, { backupFolder: before }) {
    const different = async (): Promise<readonly string[]> => {
      if (backupSchedule === "" || before === "") return [];
      const found = await readBackupFolder(target).catch((error: unknown) => {
        if (!(error instanceof NoAgent)) throw error;
      });
      // Its container is brought back by the same run, and then looked at.
      const other = found && otherFolder(before, found);
      return other === undefined ? [] : [other];
    };
    const stopped = [`${target.container} does not run: it is checked again`];
    return inRunningContainer<readonly string[]>(target, different, () => stopped);
  },
  async remove({ target, firstProvision, systemIdentifier, finalBackup, requireProof, destroyUntil }) {
    // One that was given when the last `up` ran may have ended since.
    if (typeof destroyUntil === "string") {
      const what = "production is not destroyed";
      requirePermission({ what, setting: "allowDestroyUntil", until: destroyUntil });
    }
    // The first thing that goes when a stack does: everything is still there to be backed up, and Docker's own things
    // leave no record of theirs.
    if (finalBackup) await backUpLast(target, { logsDirectory: firstProvision.logsDirectory, requireProof });
    const { dataVolume, logsDirectory } = firstProvision;
    const parameters = { container: target.container, dataVolume, systemIdentifier };
    await audited({ logsDirectory, stack: target.stack }, "server.remove", parameters, async () => {});
  },
  async guard(state) {
    const { target, firstProvision, systemIdentifier } = state;
    const problem = await clusterProblem(target, { ...firstProvision, systemIdentifier });
    if (problem !== undefined) throw new UserError(problem);
  },
});

/** All that this `up` has recorded so far. Where it can't be anchored now, the next one does it; a difference `audit verify` tells. */
async function anchor(target: Target, logsDirectory: string): Promise<void> {
  await anchorAudit(target, logsDirectory).catch(() => {});
}

async function check(
  inputs: HealthCheckInputs,
  previous?: HealthCheckInputs & HealthCheckResults,
): Promise<HealthCheckResults> {
  const { target, firstProvision, roles, passwords } = inputs;
  const { logsDirectory } = firstProvision;
  const results = await audited({ logsDirectory, stack: target.stack }, "health.check", { full: true }, () =>
    orAbandon(target, firstProvision, async () => {
      await waitUntilReady(target, { timeoutSeconds: inputs.readyTimeoutSeconds });
      // What it finds now is what the check below tells; a storage that is away is told of by another.
      if (inputs.protectedStorage === true) await readProtection(target).catch(() => {});
      const report = await checkHealth(target, {
        credentials: {
          administrator: { role: roles.administrator, password: passwords.administrator },
          application: { role: roles.application, password: passwords.application },
          readonly: { role: roles.readonly, password: passwords.readonly },
        },
        ...(inputs.tls ? { trust: serverTrust(inputs) } : {}),
        full: true,
        thresholds: inputs.thresholds,
        ...(inputs.backupSchedule === "" ? {} : { backup: { schedule: inputs.backupSchedule } }),
      });
      await appendHealthLog({ logsDirectory, stack: target.stack }, report);
      const failed = report.checks.filter((one) => one.status === "failed");
      if (failed.length > 0) {
        throw new UserError(
          `health check failed: ${failed.map((one) => `${one.name}: ${one.message}`).join("; ")}`,
        );
      }
      const cluster = await systemIdentifier(inputs);
      await refuseOtherCluster(inputs, cluster, previous);
      await markProven(target);
      await saveBootstrapLog(target, { logsDirectory });
      return {
        status: report.status,
        serverVersion: report.serverVersion ?? "unknown",
        systemIdentifier: cluster,
        backupFolder: await backupFolder(inputs, previous),
      };
    }),
  );
  await anchor(target, logsDirectory);
  return results;
}

/** Where nothing was looked at before, as with `--refresh=false`: another cluster on the same volume is no success. */
async function refuseOtherCluster(
  { target, firstProvision }: HealthCheckInputs,
  cluster: string,
  previous?: HealthCheckInputs & HealthCheckResults,
): Promise<void> {
  if (previous === undefined || previous.systemIdentifier === cluster) return;
  if (previous.firstProvision.dataVolume !== firstProvision.dataVolume) return;
  const volume = await findVolume(dockerEngine(target.dockerHost), firstProvision.dataVolume);
  if (volume !== undefined && isInMemory(volume)) return;
  throw new UserError(
    `the data volume ${firstProvision.dataVolume} holds another cluster (${cluster}) than stack ${target.stack} had (${previous.systemIdentifier})`,
  );
}

/** The backup folder's id. Another folder than before is no success: backups would go where nobody looks for them. */
async function backupFolder(
  { target, backupSchedule }: HealthCheckInputs,
  previous?: HealthCheckInputs & HealthCheckResults,
): Promise<string> {
  if (backupSchedule === "") {
    await releaseLog(target);
    return "";
  }
  const identity = await callAgent<FolderIdentity>(target, "require-own-places");
  const other = otherFolder(previous?.backupFolder, identity);
  if (other !== undefined) throw new UserError(other);
  return identity.id;
}

async function systemIdentifier(inputs: HealthCheckInputs): Promise<string> {
  const [row] = await queryAsSuperuser<{ id: string }>(
    inputs.target,
    "select system_identifier::text as id from pg_control_system()",
  );
  if (row === undefined) throw new Error("the server does not tell its system identifier");
  return row.id;
}
