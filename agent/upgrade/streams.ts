import type { Pair } from "./link.ts";
import type { Stream } from "./replication.ts";

/** From the old server to the new one, while the old one is in use. */
export function forth({ stack, database, ...pair }: Pair): Stream {
  return {
    ...{ name: "pgstack_upgrade", mark: markOf(stack) },
    ...{ database, publisher: pair.old, subscriber: pair.new, port: pair.fromNew },
  };
}

/** From the new server to the old one, while the new one is in use: the way back. */
export function back({ stack, database, ...pair }: Pair): Stream {
  return {
    ...{ name: "pgstack_way_back", mark: markOf(stack) },
    ...{ database, publisher: pair.new, subscriber: pair.old, port: pair.fromOld },
  };
}

function markOf(stack: string): string {
  return `Made by pgstack upgrade into stack ${stack}, and dropped when that is done.`;
}
