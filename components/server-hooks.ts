import * as pulumi from "@pulumi/pulumi";
import { audited } from "../operations/audit.ts";
import { DATA_MOUNT } from "../operations/data-directory.ts";
import { limitProcesses } from "../operations/limits.ts";
import type { Target } from "../operations/target.ts";
import { clearly } from "../providers/clear-error.ts";
import { abandon } from "../providers/first-provision.ts";
import { orphanHook } from "./orphan-hook.ts";
import type { ContainerLimits } from "./server-container.ts";

/** What {@link serverHooks} work on. */
export interface ServerHooksOptions {
  readonly target: Target;
  /** The image, for the audit log. */
  readonly image: string;
  readonly limits: ContainerLimits;
  readonly publish?: { readonly address: string; readonly port: number };
  readonly graceSeconds: number;
  readonly logsDirectory: string;
}

/**
 * What goes with making the server's container: before it, one that a killed run left is removed; after it, the limit
 * of processes is set, which the Docker provider has no argument for; when it fails on a first `up`, nothing half made
 * stays.
 */
export function serverHooks(name: string, options: ServerHooksOptions): pulumi.ResourceHookBinding {
  const { target, image, limits, publish, graceSeconds, logsDirectory } = options;
  const { stack, container } = target;
  const removeOrphan = orphanHook(name, { stack, container, graceSeconds });
  const limit = new pulumi.ResourceHook(`${name}-limit-processes`, () => {
    const parameters = { container, image, limits, ...(publish && { publish }) };
    return clearly(
      audited({ logsDirectory, stack }, "server.create", parameters, () =>
        limitProcesses(target, limits.processes),
      ),
    );
  });
  const clear = new pulumi.ErrorHook(`${name}-abandon`, async ({ failedOperation, newInputs, errors }) => {
    if (failedOperation === "create") {
      const mounts: { target?: string; source?: string }[] = newInputs?.mounts ?? [];
      const dataVolume = mounts.find((mount) => mount.target === DATA_MOUNT)?.source ?? "";
      const reason = errors[0] ?? "the container could not be made";
      await clearly(abandon(target, { dataVolume, logsDirectory }, reason));
    }
    // Not tried again: the next `up` does that.
    return false;
  });
  return { beforeCreate: [removeOrphan], afterCreate: [limit], onError: [clear] };
}
