import * as docker from "@pulumi/docker";
import * as pulumi from "@pulumi/pulumi";
import { linkPort } from "../agent/upgrade/link.ts";
import { AGENT_MAIN } from "../operations/agent-files.ts";
import type { BackupStorage } from "./backup-storage.ts";
import { BOUNDED_LOG, CONFINED, hostname } from "./confined.ts";
import { dockerLabels } from "./labels.ts";
import { orphanHook } from "./orphan-hook.ts";
import { coveredVolumes } from "./server-container.ts";

/** What an {@link UpgradeLink} is made from. */
export interface UpgradeLinkArgs {
  readonly stack: string;
  readonly containerName: string;
  /** Id of the server's image. */
  readonly imageId: string;
  /** Folders that it declares as volumes. */
  readonly imageVolumes: readonly string[];
  readonly storage: BackupStorage;
  /** Port of the stack's own server. */
  readonly port: number;
  /** The server that is upgraded from: the volume of its socket, and its port. */
  readonly old: { readonly socketVolume: string; readonly port: number };
  readonly labels?: Readonly<Record<string, string>>;
}

const OWN = "/sockets/new";
const OTHER = "/sockets/old";

/** Seconds that it may take to end: it holds nothing. */
const GRACE_SECONDS = 5;

/**
 * Puts the socket of the server that is upgraded into the new one's socket folder, and the other way round: each reaches
 * the other as its superuser, and no network, password or rule of pg_hba is needed for it.
 */
export class UpgradeLink extends pulumi.ComponentResource {
  constructor(name: string, args: UpgradeLinkArgs, options?: pulumi.ComponentResourceOptions) {
    super("pgstack:index:UpgradeLink", name, {}, options);
    const { stack, containerName, old, port } = args;
    const removeOrphan = orphanHook(name, { stack, container: containerName, graceSeconds: GRACE_SECONDS });
    new docker.Container(
      name,
      {
        name: containerName,
        hostname: hostname(containerName),
        image: args.imageId,
        entrypoints: ["node", AGENT_MAIN],
        command: [
          "relay",
          ...[socket(OWN, linkPort(port)), socket(OTHER, old.port)],
          ...[socket(OTHER, linkPort(old.port)), socket(OWN, port)],
        ],
        ...CONFINED,
        tmpfs: {
          "/tmp": "rw,noexec,nosuid,nodev,size=1m,mode=1777",
          ...coveredVolumes(args.imageVolumes, []),
        },
        mounts: [
          args.storage.configuration,
          { type: "volume", source: args.storage.socket.source, target: OWN },
          { type: "volume", source: old.socketVolume, target: OTHER },
        ],
        networkMode: "none",
        init: true,
        memory: 128,
        memorySwap: 128,
        cpus: "1.0",
        restart: "unless-stopped",
        ...BOUNDED_LOG,
        wait: false,
        mustRun: true,
        labels: dockerLabels(stack, pulumi.getProject(), args.labels),
      },
      { parent: this, deleteBeforeReplace: true, hooks: { beforeCreate: [removeOrphan] } },
    );
    this.registerOutputs({});
  }
}

function socket(folder: string, port: number): string {
  return `${folder}/.s.PGSQL.${port}`;
}
