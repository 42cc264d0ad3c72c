import * as docker from "@pulumi/docker";
import * as pulumi from "@pulumi/pulumi";
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
   * Refuse to delete the volumes, and keep them on the host when the stack goes. For production.
   * Default: false.
   */
  readonly retain?: boolean;
  /** Further labels. */
  readonly labels?: Readonly<Record<string, string>>;
}

/** The volumes of one server: its data, and its configuration. */
export class DataVolume extends pulumi.ComponentResource {
  /** Name of the data volume. */
  readonly volumeName: pulumi.Output<string>;
  /** Name of the configuration volume. */
  readonly configurationVolumeName: pulumi.Output<string>;

  constructor(name: string, args: DataVolumeArgs, options?: pulumi.ComponentResourceOptions) {
    super("pgstack:index:DataVolume", name, {}, options);
    this.volumeName = this.createVolume(name, args.volumeName, args).name;
    this.configurationVolumeName = this.createVolume(
      `${name}-configuration`,
      args.configurationVolumeName,
      args,
    ).name;
    this.registerOutputs({
      volumeName: this.volumeName,
      configurationVolumeName: this.configurationVolumeName,
    });
  }

  private createVolume(name: string, volumeName: string, args: DataVolumeArgs): docker.Volume {
    const retain = args.retain ?? false;
    return new docker.Volume(
      name,
      {
        name: volumeName,
        driver: "local",
        labels: dockerLabels(args.stack, pulumi.getProject(), args.labels),
      },
      { parent: this, protect: retain, retainOnDelete: retain },
    );
  }
}
