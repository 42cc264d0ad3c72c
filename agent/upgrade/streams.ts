import type { Pair } from "./link.ts";
import type { Stream } from "./replication.ts";

/** From the old server to the new one, while the old one is in use. */
export function forth({ database, ...pair }: Pair): Stream {
  return {
    name: "pgstack_upgrade",
    ...{ database, publisher: pair.old, subscriber: pair.new, port: pair.fromNew },
  };
}

/** From the new server to the old one, while the new one is in use: the way back. */
export function back({ database, ...pair }: Pair): Stream {
  return {
    name: "pgstack_way_back",
    ...{ database, publisher: pair.new, subscriber: pair.old, port: pair.fromOld },
  };
}
