import type * as pulumi from "@pulumi/pulumi";
import { OperationResource } from "./operation-resource.ts";

/** What a network is made from. */
export interface NetworkInputs {
  readonly stack: string;
  readonly network: string;
  /** Nothing outside reaches it, and it reaches nothing outside. */
  readonly internal: boolean;
  /** Of one that is not internal: what is in it may begin connections to the outside. */
  readonly outgoing?: boolean;
  /** Name of the network that served for it in earlier versions. */
  readonly formerly?: string;
  readonly labels: Readonly<Record<string, string>>;
  /** Where the audit log is. Absent: nothing is recorded. */
  readonly logsDirectory?: string;
}

/** What is known once the network is there. */
export interface NetworkResults {
  /** Docker's id of the network. */
  readonly networkId: string;
}

/**
 * A Docker network. The Docker provider's own resource waits two seconds at every creation, refresh and deletion of one,
 * more than the rest of a run without changes takes; this one asks the engine and goes on.
 */
export class Network extends OperationResource {
  declare readonly network: pulumi.Output<string>;
  declare readonly networkId: pulumi.Output<string>;

  constructor(name: string, inputs: NetworkInputs, options: pulumi.CustomResourceOptions) {
    super(
      "Network",
      import.meta.resolve("./network.provider.ts"),
      name,
      { ...inputs, networkId: undefined },
      options,
    );
  }
}
