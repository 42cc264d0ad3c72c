import type { AgentConfiguration } from "../configuration.ts";
import type { Server } from "../sql.ts";

/** The stack that is upgraded, as the new one's agent is told of it. */
export interface OldStack {
  readonly stack: string;
  readonly port: number;
}

/** Both servers of an upgrade, and where each finds the other: the links put the one's socket into the other's folder. */
export interface Pair {
  /** The new stack. */
  readonly stack: string;
  readonly database: string;
  readonly old: Server;
  readonly new: Server;
  /** Ports by which each server itself reaches the other in its own socket folder. */
  readonly fromNew: number;
  readonly fromOld: number;
}

/** The port whose socket stands for the other server: the next one to the server's own. */
export function linkPort(port: number): number {
  return port === 65_535 ? port - 1 : port + 1;
}

export function pairOf(configuration: AgentConfiguration, old: OldStack): Pair {
  const { stack, socketDirectory, port, database } = configuration;
  const fromNew = linkPort(port);
  return {
    ...{ stack, database },
    old: { socketDirectory, port: fromNew },
    new: { socketDirectory, port },
    ...{ fromNew, fromOld: linkPort(old.port) },
  };
}
