import { agentFiles } from "../../../operations/agent-files.ts";
import {
  agentConfiguration,
  type BackupPlaces,
  pgbackrestOptions,
} from "../../../operations/backup-configuration.ts";
import { BACKUP_FILES } from "../../../operations/backup-files.ts";
import { dockerEngine } from "../../../operations/docker.ts";
import { renderPgbackrestConf } from "../../../operations/pgbackrest-conf.ts";
import { CONFIGURATION_DIRECTORY } from "../../../operations/postgresql-conf.ts";
import { LABEL_STACK, type Target } from "../../../operations/target.ts";
import { writeContainerFiles } from "../../../operations/volume-files.ts";
import { TEST_IMAGE } from "../image.ts";
import type { S3Server } from "./server.ts";

/** Days of a bucket's protection with this plan: 7 and 7. */
const PLAN = {
  fullDays: 7,
  schedule: { backup: "0 0 1 1 *", drill: "0 0 1 1 *" },
  retention: { days: 7, weeks: 0, months: 0, pitrDays: 7 },
  verification: { coreTables: [], sql: [] },
};

/** A container with the agent's program, its configuration and an object storage, and nothing of a server. */
export class StorageAgent {
  readonly target: Target;
  readonly container: string;

  private constructor(target: Target) {
    this.target = target;
    this.container = target.container;
  }

  /** To be removed by its label. */
  static async start(
    stack: string,
    storage: S3Server,
    { network, mode }: { readonly network: string; readonly mode: "versioned" | "locked" },
  ): Promise<StorageAgent> {
    const docker = dockerEngine();
    const container = `pgstack-${stack}-${mode}`;
    const target = { stack, container, port: 5432, database: "app" };
    const { endpoint, bucket } = storage.setting("") as { endpoint: string; bucket: string };
    const places: BackupPlaces = {
      ...{ target, dataDirectory: "/none", jobs: 1, encrypted: false, local: false },
      storage: {
        ...{ endpoint, bucket, region: "us-east-1", path: "/pgstack", pathStyle: true, ...storage.keys },
        ...{ authority: storage.authority, protection: mode },
      },
    };
    const made = await docker.createContainer({
      ...{ name: container, Image: TEST_IMAGE, User: "postgres", Entrypoint: ["sleep", "600"], Cmd: [] },
      Labels: { [LABEL_STACK]: stack },
      HostConfig: { NetworkMode: network, Init: true },
    });
    await writeContainerFiles(docker, made, {
      image: TEST_IMAGE,
      folder: CONFIGURATION_DIRECTORY,
      files: [
        ...(await agentFiles()),
        ...[
          [BACKUP_FILES.agent, JSON.stringify(agentConfiguration(places, PLAN))] as const,
          [BACKUP_FILES.pgbackrest, renderPgbackrestConf(pgbackrestOptions(places, undefined))] as const,
          [BACKUP_FILES.storageAuthority, storage.authority] as const,
        ].map(([path, content]) => ({ path, content, mode: 0o600 })),
      ],
    });
    await made.start();
    return new StorageAgent(target);
  }
}
