import * as docker from "@pulumi/docker";
import * as pulumi from "@pulumi/pulumi";
import { SANDBOX_USER } from "../agent/sandbox/places.ts";
import { SANDBOX_SCRIPT } from "../operations/sandbox.ts";
import type { AgentArgs } from "./agent.ts";
import type { Mount } from "./backup-storage.ts";
import { BOUNDED_LOG, CONFINED, hostname } from "./confined.ts";
import { dockerLabels } from "./labels.ts";
import { orphanHook } from "./orphan-hook.ts";
import { coresText, coveredVolumes } from "./server-container.ts";

/** What a {@link Sandbox} is made from. */
export interface SandboxArgs
  extends Pick<AgentArgs, "stack" | "containerName" | "imageId" | "imageVolumes" | "limits" | "labels"> {
  /** What it shares with the agent. */
  readonly scratch: Mount;
}

/** It ends at once: all that it has is thrown away. */
const GRACE_SECONDS = 5;

/**
 * Where the servers of throw-away clusters run, for drills, verifications and restores of tables: a container that has neither
 * network, backups and keys nor the live server's socket, and another user than those who have. What the restored data's own
 * code does there, it can do to the throw-away cluster alone.
 */
export class Sandbox extends pulumi.ComponentResource {
  readonly container: docker.Container;

  constructor(name: string, args: SandboxArgs, options?: pulumi.ComponentResourceOptions) {
    super("pgstack:index:Sandbox", name, {}, options);
    const { stack, containerName, limits } = args;
    const removeOrphan = orphanHook(name, { stack, container: containerName, graceSeconds: GRACE_SECONDS });
    this.container = new docker.Container(
      name,
      {
        name: containerName,
        hostname: hostname(containerName),
        image: args.imageId,
        entrypoints: ["sh"],
        command: ["-c", SANDBOX_SCRIPT],
        ...CONFINED,
        // The agent's group: so it reads what the agent lays out, and the agent what it makes.
        user: `${SANDBOX_USER}:postgres`,
        tmpfs: {
          "/tmp": "rw,noexec,nosuid,nodev,size=64m,mode=1777",
          ...coveredVolumes(args.imageVolumes, []),
        },
        mounts: [args.scratch],
        networkMode: "none",
        // Its shell is the first process: nothing that runs beside it can stop or end that one.
        memory: limits.memoryMegabytes,
        memorySwap: limits.memoryMegabytes,
        cpus: coresText(limits.cpus),
        restart: "unless-stopped",
        // A first process ignores what it has not asked for.
        stopSignal: "SIGKILL",
        stopTimeout: GRACE_SECONDS,
        destroyGraceSeconds: GRACE_SECONDS,
        ...BOUNDED_LOG,
        wait: false,
        mustRun: true,
        labels: dockerLabels(stack, pulumi.getProject(), args.labels),
      },
      {
        parent: this,
        deleteBeforeReplace: true,
        hooks: { beforeCreate: [removeOrphan] },
        replaceOnChanges: ["user", "readOnly", "capabilities", "securityOpts", "entrypoints", "command"],
      },
    );
    this.registerOutputs({});
  }
}
