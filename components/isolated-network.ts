import * as pulumi from "@pulumi/pulumi";
import { Network } from "../providers/network.ts";
import { labelRecord } from "./labels.ts";

/** What an {@link IsolatedNetwork} is made from. */
export interface IsolatedNetworkArgs {
  /** Name of the network on the Docker host. Changing it replaces the server's container. */
  readonly networkName: string;
  /** Stack that owns the network; written into its labels. */
  readonly stack: string;
  /**
   * Also make an ordinary network named `<networkName>-access`. Docker publishes no port from an internal network, so a
   * stack that publishes one needs it. Default: false.
   */
  readonly access?: boolean;
  /**
   * Let what is in the ordinary network begin connections to the outside, as to an object storage. Without it, answers to
   * clients are all that leaves. Changing it replaces the containers. Default: false.
   */
  readonly outgoing?: boolean;
  /** Where the audit log is. Default: nothing is recorded. */
  readonly logsDirectory?: string;
  /** Further labels, of a network that is made anew; one that is there keeps those that it was made with. */
  readonly labels?: Readonly<Record<string, string>>;
}

/** A network of the stack's own that nothing outside reaches and that reaches nothing outside. */
export class IsolatedNetwork extends pulumi.ComponentResource {
  /** Name of the internal network. */
  readonly networkName: pulumi.Output<string>;
  /** Docker's id of it: another one when the network was made anew, so that what is in it is too. */
  readonly networkId: pulumi.Output<string>;
  /** Name of the ordinary network that ports are published from, when there is one. */
  readonly accessNetworkName: pulumi.Output<string> | undefined;
  /** Docker's id of that. */
  readonly accessNetworkId: pulumi.Output<string> | undefined;

  constructor(name: string, args: IsolatedNetworkArgs, options?: pulumi.ComponentResourceOptions) {
    super("pgstack:index:IsolatedNetwork", name, {}, options);
    const network = this.createNetwork(name, args.networkName, true, args);
    const access = args.access
      ? this.createNetwork(`${name}-access`, `${args.networkName}-access`, false, args)
      : undefined;
    this.networkName = network.network;
    this.networkId = network.networkId;
    this.accessNetworkName = access?.network;
    this.accessNetworkId = access?.networkId;
    this.registerOutputs({ networkName: this.networkName, accessNetworkName: this.accessNetworkName });
  }

  private createNetwork(
    name: string,
    networkName: string,
    internal: boolean,
    args: IsolatedNetworkArgs,
  ): Network {
    const labels = labelRecord(args.stack, pulumi.getProject(), args.labels);
    const inputs = {
      ...{ stack: args.stack, network: networkName, internal, labels },
      ...(internal ? {} : { outgoing: args.outgoing ?? false }),
      ...(args.logsDirectory === undefined ? {} : { logsDirectory: args.logsDirectory }),
    };
    // Docker cannot change a network's labels: another one would be made, and applications that are in it cut off.
    return new Network(name, inputs, { parent: this, deleteBeforeReplace: true, ignoreChanges: ["labels"] });
  }
}
