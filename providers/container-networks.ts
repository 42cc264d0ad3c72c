import type * as pulumi from "@pulumi/pulumi";
import { OperationResource } from "./operation-resource.ts";

/** The networks that a container is kept in. */
export interface ContainerNetworksInputs {
  readonly stack: string;
  readonly container: string;
  /** Ids of its networks. */
  readonly networks: readonly string[];
  /** Its names there beside the container's own. */
  readonly aliases: readonly string[];
  readonly logsDirectory: string;
}

/**
 * Keeps a container in its own networks and out of all others. The Docker provider does not look at that once the container is
 * there: one that was taken off its network by hand, or put into another, would stay so.
 */
export class ContainerNetworks extends OperationResource {
  constructor(
    name: string,
    inputs: { [Key in keyof ContainerNetworksInputs]: pulumi.Input<ContainerNetworksInputs[Key]> },
    options: pulumi.CustomResourceOptions,
  ) {
    super(
      "ContainerNetworks",
      import.meta.resolve("./container-networks.provider.ts"),
      name,
      inputs,
      options,
    );
  }
}
