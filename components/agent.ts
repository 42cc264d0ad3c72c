import * as docker from "@pulumi/docker";
import * as pulumi from "@pulumi/pulumi";
import { AGENT_MAIN } from "../operations/agent-files.ts";
import { DATA_MOUNT } from "../operations/data-directory.ts";
import { ContainerNetworks } from "../providers/container-networks.ts";
import type { BackupStorage } from "./backup-storage.ts";
import { BOUNDED_LOG, CONFINED, hostname } from "./confined.ts";
import { dockerLabels } from "./labels.ts";
import { orphanHook } from "./orphan-hook.ts";
import { coresText, coveredVolumes } from "./server-container.ts";

/** What an {@link Agent} is made from. */
export interface AgentArgs {
  readonly stack: string;
  readonly containerName: string;
  /** Id of the server's image: the agent has the very same programs. */
  readonly imageId: string;
  /** Folders that it declares as volumes. */
  readonly imageVolumes: readonly string[];
  readonly dataVolume: pulumi.Input<string>;
  readonly storage: BackupStorage;
  /** Changes with the agent's code and configuration, and so makes the container anew. */
  readonly fingerprint: pulumi.Input<string>;
  /** Ordinary network to reach an object storage by. Default: no network at all. */
  readonly networkName?: pulumi.Input<string>;
  readonly limits: { readonly memoryMegabytes: number; readonly cpus: number };
  readonly labels?: Readonly<Record<string, string>>;
  readonly logsDirectory: string;
}

/** Seconds that a backup may take to end when the agent is stopped; it then leaves nothing unfinished behind. */
const GRACE_SECONDS = 30;

/** What backs the server up by schedule, and carries out what the command line asks for: a container beside the server's. */
export class Agent extends pulumi.ComponentResource {
  readonly container: docker.Container;
  readonly containerName: pulumi.Output<string>;

  constructor(name: string, args: AgentArgs, options?: pulumi.ComponentResourceOptions) {
    super("pgstack:index:Agent", name, {}, options);
    const { stack, containerName, storage, limits } = args;
    const removeOrphan = orphanHook(name, { stack, container: containerName, graceSeconds: GRACE_SECONDS });
    this.container = new docker.Container(
      name,
      {
        name: containerName,
        hostname: hostname(containerName),
        image: args.imageId,
        entrypoints: ["node", AGENT_MAIN],
        command: ["serve"],
        ...CONFINED,
        tmpfs: {
          "/tmp": "rw,noexec,nosuid,nodev,size=256m,mode=1777",
          ...coveredVolumes(args.imageVolumes),
        },
        mounts: [
          // It reads the files that it backs up, and can't change them.
          { type: "volume", source: args.dataVolume, target: DATA_MOUNT, readOnly: true },
          storage.configuration,
          storage.backups,
          // To sign in takes no right to write: what the server makes there leads nowhere that it could change.
          { ...storage.socket, readOnly: true },
          storage.scratch,
        ],
        ...(args.networkName === undefined
          ? { networkMode: "none" }
          : { networksAdvanced: [{ name: args.networkName }] }),
        // A shell's zombies are nobody's but the first process's.
        init: true,
        memory: limits.memoryMegabytes,
        memorySwap: limits.memoryMegabytes,
        cpus: coresText(limits.cpus),
        restart: "unless-stopped",
        stopSignal: "SIGTERM",
        stopTimeout: GRACE_SECONDS,
        destroyGraceSeconds: GRACE_SECONDS,
        ...BOUNDED_LOG,
        wait: false,
        mustRun: true,
        labels: [
          ...dockerLabels(stack, pulumi.getProject(), args.labels),
          { label: "pgstack.agent", value: args.fingerprint },
        ],
      },
      {
        parent: this,
        deleteBeforeReplace: true,
        hooks: { beforeCreate: [removeOrphan] },
        replaceOnChanges: ["user", "readOnly", "capabilities", "securityOpts", "entrypoints", "command"],
      },
    );
    // One that has no network at all cannot be put into one either.
    if (args.networkName !== undefined) {
      new ContainerNetworks(
        `${name}-networks`,
        {
          ...{ stack, container: containerName, networks: pulumi.all([args.networkName]), aliases: [] },
          logsDirectory: args.logsDirectory,
        },
        { parent: this, dependsOn: this.container, deletedWith: this.container },
      );
    }
    this.containerName = this.container.name;
    this.registerOutputs({ containerName: this.containerName });
  }
}
