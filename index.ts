import * as pulumi from "@pulumi/pulumi";
import { Agent } from "./components/agent.ts";
import { BackupBeforeChange } from "./components/backup-before-change.ts";
import { BackupFiles } from "./components/backup-files.ts";
import { BackupStorage } from "./components/backup-storage.ts";
import { Certificates } from "./components/certificates.ts";
import { DataVolume } from "./components/data-volume.ts";
import { Database } from "./components/database.ts";
import { HealthCheck } from "./components/health-check.ts";
import { IsolatedNetwork } from "./components/isolated-network.ts";
import { RestoreInPlace } from "./components/restore-in-place.ts";
import { RestoredCluster } from "./components/restored-cluster.ts";
import { RoleSecrets } from "./components/role-secrets.ts";
import { Sandbox } from "./components/sandbox.ts";
import { SchemaVersion } from "./components/schema-version.ts";
import { Server } from "./components/server.ts";
import { TestEnvironment } from "./components/test-environment.ts";
import { UpgradeLink } from "./components/upgrade-link.ts";
import { agentContainer } from "./operations/agent.ts";
import { DATA_MOUNT } from "./operations/data-directory.ts";
import { socketVolume } from "./operations/derived-volumes.ts";
import { isPermitted } from "./operations/permission.ts";
import { sandboxContainer } from "./operations/sandbox.ts";
import {
  certificateArgs,
  connectionLimit,
  containerLimits,
  inMemory,
  roleNames,
} from "./program/arguments.ts";
import {
  agentLimits,
  backupArgs,
  needsStorageNetwork,
  outlivesStack,
  replacementTrigger,
} from "./program/backup.ts";
import { prepare } from "./program/prepare.ts";
import { completePromotion } from "./program/promotion.ts";
import { seedArgs } from "./program/restore.ts";
import { serverParameters } from "./settings/server-parameters.ts";

// What the stack's config asks for, and what is on the Docker host: wrong values end the run here, nothing is made yet.
const { settings, image, dataDirectory, backup, recovery, restoreAuthority, initSql, snapshot, schema } =
  await prepare();
const stack = pulumi.getStack();
const { labels, logsDirectory, restore } = settings;
const roles = roleNames(settings);
const target = {
  ...{ stack, container: settings.containerName, port: settings.port, database: settings.databaseName },
};
// What no change of the settings ever replaces; a destroy begins with the health check, so it takes nothing away.
const destroyUntil = settings.allowDestroyUntil ?? "";
const kept = { protect: !settings.allowDestroy && !isPermitted(destroyUntil) };

// First: where the state is lost, nothing at all is made beside the server that is there.
const volume = new DataVolume(
  "volume",
  {
    stack,
    volumeName: settings.dataVolumeName,
    configurationVolumeName: settings.configurationVolumeName,
    retain: settings.protectVolumes,
    adopt: settings.adoptDataVolume,
    ...(image.volumes.includes(DATA_MOUNT) ? {} : { ownedFor: image.imageId }),
    ...inMemory(settings, image.imageId),
    serverContainer: settings.containerName,
    labels,
  },
  kept,
);

const secrets = new RoleSecrets("secrets", {
  length: settings.passwordLength,
  rotations: settings.rotations,
});

const certificates = new Certificates(
  "certificates",
  { ...certificateArgs(settings), linksDirectory: `.pgstack/stacks/${stack}` },
  { ...kept, dependsOn: volume },
);

const storage =
  backup &&
  new BackupStorage(
    "backup",
    {
      stack,
      prefix: settings.containerName,
      volumeName: settings.backupVolumeName,
      ...(settings.backupDirectory === undefined ? {} : { directory: settings.backupDirectory }),
      retain: settings.protectVolumes,
      labels,
    },
    { ...kept, dependsOn: volume },
  );

// Before the server is replaced: a way back, taken by the agent as it is.
const backupBefore =
  backup &&
  new BackupBeforeChange(
    "backup-before-change",
    {
      target,
      trigger: replacementTrigger(settings, image.imageId, dataDirectory),
      requireProof: settings.environment === "production",
      logsDirectory,
    },
    { dependsOn: volume },
  );

const network = new IsolatedNetwork(
  "network",
  {
    stack,
    networkName: settings.networkName,
    access: settings.publish,
    storage: needsStorageNetwork(settings),
    labels,
    logsDirectory,
  },
  // A network that is made anew takes the containers in it along, the agent's too: not before that has taken the backup.
  { dependsOn: backupBefore ? [volume, backupBefore] : [volume] },
);

const backupFiles =
  backup &&
  storage &&
  new BackupFiles(
    "backup-files",
    {
      target,
      volume: storage.configuration.source,
      imageId: image.imageId,
      dataDirectory,
      ...backupArgs(settings, backup),
      protectKey: kept.protect,
      labels,
      logsDirectory,
    },
    { dependsOn: backupBefore ? [backupBefore] : [] },
  );

const seed =
  restore?.from &&
  new RestoredCluster("seed", {
    target,
    wanted: restore.target,
    ...(restore.accept === undefined ? {} : { accept: restore.accept }),
    dataVolume: volume.volumeName,
    dataDirectory,
    imageId: image.imageId,
    ...(network.storageNetworkId === undefined ? {} : { networkName: network.storageNetworkId }),
    ...seedArgs(settings, restore.from, restoreAuthority, backup?.verificationSql ?? []),
    labels,
    logsDirectory,
  });

const server = new Server(
  "server",
  {
    stack,
    containerName: settings.containerName,
    port: settings.port,
    database: settings.databaseName,
    roles,
    image,
    networkName: network.networkId,
    ...(settings.publish
      ? {
          publish: { address: settings.publishAddress, port: settings.publishPort },
          ...(network.accessNetworkId === undefined ? {} : { accessNetworkName: network.accessNetworkId }),
        }
      : {}),
    dataVolume: volume.volumeName,
    dataDirectory,
    configurationVolume: volume.configurationVolumeName,
    tls: certificates.tls,
    tlsEnabled: certificates.enabled,
    parameters: serverParameters(settings),
    ...(settings.clientAddresses.length === 0 ? {} : { clientAddresses: settings.clientAddresses }),
    limits: containerLimits(settings),
    ballastMegabytes: settings.ballastMegabytes,
    environment: settings.environment,
    stopGraceSeconds: settings.stopGraceSeconds,
    ...(storage && {
      archive: { mounts: [storage.socket], timeoutSeconds: settings.archiveTimeoutSeconds },
    }),
    labels,
    logsDirectory,
  },
  { dependsOn: [backupFiles, seed].filter((one) => one !== undefined) },
);

const restored =
  restore &&
  restore.from === undefined &&
  new RestoreInPlace("restore", {
    target: server.target,
    wanted: restore.target,
    ...(restore.accept === undefined ? {} : { accept: restore.accept }),
    roles: Object.values(roles),
    environment: settings.environment,
    ...(settings.allowRestoreUntil === undefined ? {} : { allowedUntil: settings.allowRestoreUntil }),
    readyTimeoutSeconds: settings.healthTimeoutSeconds,
    logsDirectory,
  });

const database = new Database("database", {
  target: server.target,
  roles,
  passwords: secrets.passwords,
  connectionLimit: connectionLimit(settings),
  schemas: settings.schemas,
  extensions: settings.extensions,
  initSql,
  readyTimeoutSeconds: settings.healthTimeoutSeconds,
  firstProvision: server.firstProvision,
  ...(restored ? { restored: restored.restoreId } : {}),
  deletedWith: server.container,
});

const specification = {
  name: settings.databaseName,
  ...{ ...roles, schemas: settings.schemas, extensions: settings.extensions },
};
const tests =
  settings.environment === "test"
    ? new TestEnvironment(
        "test-environment",
        {
          ...{ target: server.target, specification, logsDirectory, ...(snapshot && { snapshot }) },
          readyTimeoutSeconds: settings.healthTimeoutSeconds,
        },
        { dependsOn: database },
      )
    : undefined;

const sandbox =
  storage &&
  new Sandbox("sandbox", {
    stack,
    containerName: sandboxContainer(settings.containerName),
    imageId: image.imageId,
    imageVolumes: image.volumes,
    scratch: storage.scratch,
    limits: agentLimits(settings),
    labels,
  });

const agent =
  storage &&
  backupFiles &&
  new Agent(
    "agent",
    {
      stack,
      containerName: agentContainer(settings.containerName),
      imageId: image.imageId,
      imageVolumes: image.volumes,
      dataVolume: volume.volumeName,
      storage,
      fingerprint: backupFiles.fingerprint,
      ...(settings.backupS3 && network.storageNetworkId ? { networkName: network.storageNetworkId } : {}),
      limits: agentLimits(settings),
      labels,
      logsDirectory,
    },
    { dependsOn: [database, sandbox].filter((one) => one !== undefined) },
  );

const schemaVersion =
  schema &&
  new SchemaVersion(
    "schema",
    {
      ...{ target: server.target, administrator: roles.administrator, logsDirectory, ...schema },
      users: { application: roles.application, readonly: roles.readonly },
      password: secrets.passwords.administrator,
      authority: certificates.authority,
      serverName: certificates.serverName,
      tls: certificates.enabled,
      ...(snapshot ? { trigger: snapshot.sha256 } : {}),
      readyTimeoutSeconds: settings.healthTimeoutSeconds,
    },
    { dependsOn: [database, agent, tests].filter((one) => one !== undefined) },
  );

const { upgradeFrom } = settings;
const upgradeLink =
  storage &&
  backupFiles &&
  upgradeFrom &&
  new UpgradeLink(
    "upgrade-link",
    {
      stack,
      containerName: `${settings.containerName}-upgrade-link`,
      imageId: image.imageId,
      imageVolumes: image.volumes,
      storage,
      port: settings.port,
      old: { socketVolume: socketVolume(upgradeFrom.container), port: upgradeFrom.port },
      labels,
    },
    { dependsOn: backupFiles },
  );

// A destroy begins with it, and ends there where the stack is protected: nothing else may be without something after it.

const health = new HealthCheck(
  "health",
  {
    target: server.target,
    roles,
    passwords: secrets.passwords,
    authority: certificates.authority,
    serverName: certificates.serverName,
    tls: certificates.enabled,
    triggers: [
      ...[server.containerId, server.configurationFingerprint, database.databaseName],
      ...(restored ? [restored.restoreId] : []),
    ],
    readyTimeoutSeconds: settings.healthTimeoutSeconds,
    thresholds: settings.healthThresholds,
    ...(settings.backup ? { backupSchedule: settings.backupSchedule } : {}),
    protectedStorage: settings.backup && (settings.backupS3?.protection ?? "none") !== "none",
    finalBackup: outlivesStack(settings),
    requireProof: settings.environment === "production",
    ...(settings.environment === "production" ? { destroyUntil } : {}),
    firstProvision: server.firstProvision,
  },
  {
    ...kept,
    dependsOn: [server, agent, tests, schemaVersion, upgradeLink].filter(
      (one) => one instanceof pulumi.Resource,
    ),
  },
);

completePromotion(settings, health.status);

/** What clients and the command line need to find the server. */
export const connection = {
  target: server.target,
  roles,
  tls: certificates.enabled,
  serverName: certificates.serverName,
  authority: certificates.authority,
  certificateNotAfter: certificates.notAfter,
  published: settings.publish ? { address: settings.publishAddress, port: settings.publishPort } : null,
  healthThresholds: settings.healthThresholds,
  backupSchedule: settings.backup ? settings.backupSchedule : null,
  backupFolder: health.backupFolder,
  backupVolume: settings.backup && settings.backupDirectory === undefined ? settings.backupVolumeName : null,
  logsDirectory,
};

/** What runs where. */
export const deployed = {
  environment: settings.environment,
  image: { reference: image.reference, pinned: image.pinned, imageId: image.imageId },
  networkName: network.networkName,
  dataVolume: volume.volumeName,
  serverVersion: health.serverVersion,
  systemIdentifier: health.systemIdentifier,
  schemaVersion: schemaVersion ? schemaVersion.version : null,
  health: health.status,
};

/** What was promoted to the stack last: from which stack, at which commit, when; null: nothing. */
export const promotion = settings.promotion ?? null;

/** What a reset of a test stack's database goes by; null elsewhere. */
export const testing = tests ? { specification, snapshot: snapshot?.name ?? null } : null;

/** What the last drill has proven: when, recovery time and recovery point in seconds; null before the first. */
export { recovery };

/** What backups are encrypted with; null when they are not. A secret. */
export const backupKey = backupFiles?.key ?? null;

/** The roles' passwords; shown by `pulumi stack output --show-secrets` only. */
export const passwords = pulumi.secret(pulumi.all(secrets.passwords));
