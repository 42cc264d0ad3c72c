import { withExclusive } from "../exclusive.ts";
import { Refusal } from "../failure.ts";
import type { Operation } from "../operation.ts";
import { inspect, inspectOld } from "./inspect.ts";
import { type OldStack, pairOf } from "./link.ts";
import { settle, undo } from "./settle.ts";
import type { Method } from "./state.ts";
import { follow, switchOver } from "./switch.ts";
import { confirm, goBack } from "./way-back.ts";

/** Seconds to wait for a backup that is at work: the new stack's first one begins with it. */
const WAIT_SECONDS = 600;

/** The steps of an upgrade to another major version, as the new stack's agent carries them out. */
export const UPGRADE_OPERATIONS: readonly (readonly [string, Operation])[] = [
  // One that was cut off is brought to an end first.
  ["upgrade-state", exclusive(async (configuration) => (await settle(configuration)) ?? null)],
  [
    // For the old stack's own agent, before there is a new one.
    "upgrade-check",
    async (configuration, parameters, context) => {
      const { database } = configuration;
      const { obstacles } = await inspectOld(configuration, database, methodOf(parameters), context);
      if (obstacles.length > 0) throw new Refusal(obstacles.join("; "));
      return null;
    },
  ],
  [
    "upgrade-inspect",
    (configuration, parameters, context) =>
      inspect(pairOf(configuration, oldOf(parameters)), methodOf(parameters), context),
  ],
  [
    "upgrade-follow",
    exclusive((configuration, parameters, context) =>
      follow(configuration, { old: oldOf(parameters), method: methodOf(parameters) }, context),
    ),
  ],
  ["upgrade-switch", exclusive((configuration, _, context) => switchOver(configuration, context))],
  ["upgrade-back", exclusive((configuration, _, context) => goBack(configuration, context))],
  ["upgrade-undo", exclusive(async (configuration) => (await undo(configuration)) ?? null)],
  ["upgrade-confirm", exclusive((configuration) => confirm(configuration))],
];

function exclusive(operation: Operation): Operation {
  return (configuration, parameters, context) =>
    withExclusive(configuration, "an upgrade", () => operation(configuration, parameters, context), {
      waitSeconds: WAIT_SECONDS,
      onWait: (holder) => context.step(`waiting: ${holder}`),
      signal: context.signal,
    });
}

function methodOf({ method }: Readonly<Record<string, unknown>>): Method {
  if (method !== "dump" && method !== "logical") {
    throw new Refusal(`${JSON.stringify(method)} is no way to upgrade: dump, logical`);
  }
  return method;
}

function oldOf({ old }: Readonly<Record<string, unknown>>): OldStack {
  return old as OldStack;
}
