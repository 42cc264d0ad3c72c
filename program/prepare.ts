import { readFile } from "node:fs/promises";
import { join } from "node:path";
import * as pulumi from "@pulumi/pulumi";
import { agentContainer } from "../operations/agent.ts";
import { readCertificateFiles } from "../operations/certificate-files.ts";
import { agentVolume, scratchVolume, socketVolume } from "../operations/derived-volumes.ts";
import { dockerEngine } from "../operations/docker.ts";
import { LABEL_AGENT, type ResolvedImage } from "../operations/image.ts";
import { type SchemaVersion, wantedSchema } from "../operations/migrations/wanted.ts";
import { requirePolicies } from "../operations/policy-mark.ts";
import { type DerivedName, preflight } from "../operations/preflight.ts";
import { type RecoveryProof, recoveryProof } from "../operations/recovery-proof.ts";
import { sandboxContainer } from "../operations/sandbox.ts";
import { requireSnapshot } from "../operations/testing/snapshot-files.ts";
import { UserError } from "../operations/user-error.ts";
import { acceptedRules } from "../policies/exceptions.ts";
import { readSettings } from "../settings/read.ts";
import type { Settings } from "../settings/settings.ts";
import { isUnsaved, savedOutputs, saveState } from "../toolchain/state-backups.mjs";
import { type BackupSources, backupSources, needsStorageNetwork } from "./backup.ts";
import { requireBackups } from "./lost-backups.ts";
import { beginChange } from "./promotion.ts";
import { refuseRenamed } from "./renamed.ts";
import { restoreAuthority } from "./restore.ts";

/** What the program starts from. */
export interface Prepared {
  readonly settings: Settings;
  readonly image: ResolvedImage;
  /** Where the server's container has the cluster. */
  readonly dataDirectory: string;
  /** PEM text of the authority of the object storage that is restored from; empty: a public one, or none. */
  readonly restoreAuthority: string;
  /** What the last drill has proven; null when there was none. */
  readonly recovery: RecoveryProof | null;
  /** What backups are made with; absent when there are none. */
  readonly backup?: BackupSources;
  /** What the database of a test stack is brought to; absent: nothing. */
  readonly snapshot?: { readonly name: string; readonly sha256: string };
  /** Where the schema is to be; absent: migrations run by command alone. */
  readonly schema?: SchemaVersion;
  /** The init SQL files with their content. */
  readonly initSql: readonly { readonly name: string; readonly sql: string }[];
}

/**
 * Reads the settings and looks at the Docker host; the first thing that is wrong ends the program with one line, before
 * any resource is declared.
 */
export async function prepare(): Promise<Prepared> {
  try {
    const settings = stackSettings();
    if (!pulumi.runtime.isDryRun()) requirePolicies(settings, process.env);
    const before = await savedOutputs(settings.stack, process.env);
    refuseRenamed(settings.stack, before);
    await requireBackups(settings, before);
    await beginChange(settings);
    if (!pulumi.runtime.isDryRun() && isUnsaved(process.env)) await saveState(settings.stack, process.env);
    if (settings.tls.mode === "files") {
      await readCertificateFiles(settings.tls.certificatesDirectory, settings.tls.domain);
    }
    const initSql = await Promise.all(
      settings.initSql.map(async (name) => ({
        name,
        sql: await readFile(join(process.cwd(), name), "utf8"),
      })),
    );
    const { stack, containerName: container, port, databaseName: database } = settings;
    const proof = settings.backup ? recoveryProof({ stack, container, port, database }) : null;
    const { image, dataDirectory, dataVolume } = await preflight(dockerEngine(), {
      stack: settings.stack,
      image: settings.image,
      major: settings.majorVersion,
      container: settings.containerName,
      dataVolume: settings.dataVolumeName,
      adoptDataVolume: settings.adoptDataVolume,
      networks: networkNames(settings),
      derived: derivedNames(settings),
      ...(settings.publish
        ? { publish: { address: settings.publishAddress, port: settings.publishPort } }
        : {}),
    });
    const { restore } = settings;
    if (restore !== undefined && restore.from === undefined && dataVolume !== "cluster") {
      throw new UserError(
        `pgstack:restore: stack ${settings.stack} has no database yet that could be restored: bring it up first, or name other backups in restore.from`,
      );
    }
    if ((settings.backup || restore?.from !== undefined) && !image.agent)
      throw new UserError(withoutAgent(image.reference));
    const { testSnapshot, schemaVersion } = settings;
    const schema =
      // An upgrade brings the old stack's schema with its data.
      schemaVersion === undefined || settings.upgradeFrom !== undefined
        ? undefined
        : await wantedSchema(process.cwd(), schemaVersion);
    const snapshot =
      testSnapshot === undefined ? undefined : await requireSnapshot(process.cwd(), testSnapshot);
    return {
      ...{ settings, image, dataDirectory, initSql },
      ...(snapshot === undefined ? {} : { snapshot: { name: snapshot.name, sha256: snapshot.sha256 } }),
      ...(schema === undefined ? {} : { schema }),
      restoreAuthority: await restoreAuthority(settings),
      recovery: await proof,
      ...(settings.backup ? { backup: await backupSources(settings) } : {}),
    };
  } catch (error) {
    // A RunError is shown as its message alone.
    throw error instanceof Error && error.name === "UserError" ? new pulumi.RunError(error.message) : error;
  }
}

function withoutAgent(image: string): string {
  return (
    `pgstack:image ${image} does not say that it has pgBackRest and Node.js (label ${LABEL_AGENT}=true), which backups need: ` +
    "npm start brings one that has, images/postgres/Dockerfile makes one from another; or set pgstack:backup to false"
  );
}

function stackSettings(): Settings {
  return readSettings(pulumi.runtime.allConfig(), {
    stack: pulumi.getStack(),
    environment: process.env,
    isRoot: process.getuid?.() === 0,
    projectDirectory: process.cwd(),
    secretKeys: JSON.parse(process.env["PULUMI_CONFIG_SECRET_KEYS"] || "[]"),
    accepted: acceptedRules(pulumi.getStack(), new Date()),
  });
}

function derivedNames({ backup, containerName, configurationVolumeName }: Settings): DerivedName[] {
  const setting = "containerName";
  return [
    { kind: "volume", name: configurationVolumeName, setting: "configurationVolumeName" },
    ...(backup
      ? ([
          { kind: "container", name: agentContainer(containerName), setting },
          { kind: "container", name: sandboxContainer(containerName), setting },
          { kind: "volume", name: agentVolume(containerName), setting },
          { kind: "volume", name: socketVolume(containerName), setting },
          { kind: "volume", name: scratchVolume(containerName), setting },
        ] as const)
      : []),
  ];
}

function networkNames(settings: Settings): string[] {
  const { networkName, publish } = settings;
  return [
    networkName,
    ...(publish ? [`${networkName}-access`] : []),
    ...(needsStorageNetwork(settings) ? [`${networkName}-storage`] : []),
  ];
}
