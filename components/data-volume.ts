import * as docker from "@pulumi/docker";
import * as pulumi from "@pulumi/pulumi";
import { dockerEngine } from "../operations/docker.ts";
import { refuseLostState } from "../operations/lost-state.ts";
import { requireMountable } from "../operations/volume/mountable.ts";
import { ownVolume } from "../operations/volume-files.ts";
import { clearly } from "../providers/clear-error.ts";
import { dockerLabels } from "./labels.ts";

/** What a {@link DataVolume} is made from. */
export interface DataVolumeArgs {
  /** Name of the volume that holds the cluster. Changing it gives the stack another, empty, cluster. */
  readonly volumeName: string;
  /** Name of the volume that holds the server's configuration and certificates. */
  readonly configurationVolumeName: string;
  /** Stack that owns the volumes; written into their labels. */
  readonly stack: string;
  /**
   * Keep the volumes on the host when the stack goes. Pulumi's own option `protect` beside it also refuses to let the
   * stack go. Default: false.
   */
  readonly retain?: boolean;
  /** The data volume may have been there before: it is taken as it is and always kept. Default: false. */
  readonly adopt?: boolean;
  /** Id of an image that has no folder for the data where the stack mounts it: its user is given the volume. Default: Docker does that by itself. */
  readonly ownedFor?: string;
  /** The data is in a file system in memory, and gone with the container. Default: it is on disk. */
  readonly inMemory?: InMemoryArgs;
  /** Container of the server: where it is there, and the state does not know its volume, nothing is done. Default: it is not looked for. */
  readonly serverContainer?: string;
  /** Further labels. */
  readonly labels?: Readonly<Record<string, string>>;
}

/** A file system in memory. */
export interface InMemoryArgs {
  /** Its size. Pages are taken as they are written. */
  readonly megabytes: number;
  /** Whether the kernel may take more than 4 kB at once for it. Since Linux 6.14 it does for what is written in large pieces. */
  readonly hugePages: boolean;
  /** Id of an image that a file system with huge pages is mounted with once, so that a kernel that has none is told at once. */
  readonly imageId: string;
}

/** The volumes of one server: its data, and its configuration. */
export class DataVolume extends pulumi.ComponentResource {
  /** Name of the data volume. */
  readonly volumeName: pulumi.Output<string>;
  /** Name of the configuration volume. */
  readonly configurationVolumeName: pulumi.Output<string>;

  constructor(name: string, args: DataVolumeArgs, options?: pulumi.ComponentResourceOptions) {
    super("pgstack:index:DataVolume", name, {}, options);
    const { retain = false, adopt = false, ownedFor: image, inMemory } = args;
    const owned = { volume: args.volumeName, image: image ?? "" };
    const { stack, serverContainer: container } = args;
    const known = new pulumi.ResourceHook(
      `${name}-known`,
      () =>
        container === undefined ? undefined : clearly(refuseLostState({ stack, container }, args.volumeName)),
      { onDryRun: true },
    );
    const own = new pulumi.ResourceHook(`${name}-owner`, () => ownVolume(dockerEngine(), owned));
    const mounted = new pulumi.ResourceHook(
      `${name}-mounted`,
      () => inMemory && clearly(requireMountable(dockerEngine(), { volume: args.volumeName, ...inMemory })),
    );
    const onDisk = image === undefined ? [] : [own];
    const inMemoryHooks = inMemory?.hugePages ? [mounted] : [];
    this.volumeName = this.createVolume(
      name,
      args.volumeName,
      args,
      retain || adopt,
      { beforeCreate: [known], afterCreate: inMemory === undefined ? onDisk : inMemoryHooks },
      inMemory,
    ).name;
    this.configurationVolumeName = this.createVolume(
      `${name}-configuration`,
      args.configurationVolumeName,
      args,
      retain,
    ).name;
    this.registerOutputs({
      volumeName: this.volumeName,
      configurationVolumeName: this.configurationVolumeName,
    });
  }

  private createVolume(
    name: string,
    volumeName: string,
    args: DataVolumeArgs,
    retain: boolean,
    hooks: pulumi.ResourceHookBinding = {},
    inMemory?: InMemoryArgs,
  ): docker.Volume {
    return new docker.Volume(
      name,
      {
        name: volumeName,
        driver: "local",
        ...(inMemory === undefined ? {} : { driverOpts: mountOptions(inMemory) }),
        labels: dockerLabels(args.stack, pulumi.getProject(), args.labels),
      },
      {
        parent: this,
        retainOnDelete: retain,
        hooks,
        // Docker changes neither of a volume that is there: the provider would delete it, with its data, to make it anew.
        ignoreChanges: inMemory === undefined ? ["labels", "driverOpts"] : ["labels"],
      },
    );
  }
}

/**
 * Options of Docker's local driver: https://docs.docker.com/reference/cli/docker/volume/create/#opt and of the kernel's tmpfs:
 * https://docs.kernel.org/filesystems/tmpfs.html
 */
function mountOptions({ megabytes, hugePages }: InMemoryArgs): Record<string, string> {
  // The server's user makes its folder in it, as in /tmp. Within a file's size: small files stay small.
  const pages = hugePages ? ",huge=within_size" : "";
  return { type: "tmpfs", device: "tmpfs", o: `size=${megabytes}m,mode=1777,nosuid,nodev,noexec${pages}` };
}
