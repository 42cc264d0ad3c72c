import * as pulumi from "@pulumi/pulumi";
import { Network, type NetworkInputs } from "../providers/network.ts";
import { labelRecord } from "./labels.ts";

/** What an {@link IsolatedNetwork} is made from. */
export interface IsolatedNetworkArgs {
  /** Name of the network on the Docker host. Changing it replaces the server's container. */
  readonly networkName: string;
  /** Stack that owns the network; written into its labels. */
  readonly stack: string;
  /**
   * Also make a network named `<networkName>-access` that is not internal. Docker publishes no port from an internal
   * network, so a stack that publishes one needs it. Answers to clients are all that leaves it. Default: false.
   */
  readonly access?: boolean;
  /**
   * Also make an ordinary network named `<networkName>-storage`, from which connections to an object storage begin: for the
   * agent, never for the server. Default: false.
   */
  readonly storage?: boolean;
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
  /** Docker's id of the network that an object storage is reached by, when there is one. */
  readonly storageNetworkId: pulumi.Output<string> | undefined;

  constructor(name: string, args: IsolatedNetworkArgs, options?: pulumi.ComponentResourceOptions) {
    super("pgstack:index:IsolatedNetwork", name, {}, options);
    const { networkName } = args;
    const network = this.createNetwork(name, args, { network: networkName, internal: true });
    const access = { network: `${networkName}-access`, internal: false, outgoing: false };
    const storage = args.storage
      ? this.createNetwork(`${name}-storage`, args, {
          ...{ network: `${networkName}-storage`, internal: false, outgoing: true },
          formerly: access.network,
        })
      : undefined;
    // A former one that served for both is looked into before it goes.
    const published = args.access
      ? this.createNetwork(`${name}-access`, args, access, storage && [storage])
      : undefined;
    this.networkName = network.network;
    this.networkId = network.networkId;
    this.accessNetworkName = published?.network;
    this.accessNetworkId = published?.networkId;
    this.storageNetworkId = storage?.networkId;
    this.registerOutputs({ networkName: this.networkName, accessNetworkName: this.accessNetworkName });
  }

  private createNetwork(
    name: string,
    { stack, labels, logsDirectory }: IsolatedNetworkArgs,
    kind: Pick<NetworkInputs, "network" | "internal" | "outgoing" | "formerly">,
    dependsOn: pulumi.Resource[] = [],
  ): Network {
    const inputs = {
      ...{ stack, ...kind, labels: labelRecord(stack, pulumi.getProject(), labels) },
      ...(logsDirectory === undefined ? {} : { logsDirectory }),
    };
    // Docker cannot change a network's labels: another one would be made, and applications that are in it cut off.
    const options = { parent: this, dependsOn, deleteBeforeReplace: true, ignoreChanges: ["labels"] };
    return new Network(name, inputs, options);
  }
}
