import type { AuditAnchor } from "../operations/audit.ts";
import type { Target } from "../operations/target.ts";
import { errorLine } from "../operations/user-error.ts";

/** What a stack's server holds about its audit log. */
export interface Anchorage {
  /** Of the log in this folder; absent: there is none. */
  readonly anchor?: AuditAnchor;
  /** Logs of the same stack in other folders and on other machines. */
  readonly elsewhere: number;
  /** Why the server could not be asked. */
  readonly notAsked?: string;
}

/** Asks the server; a stack that is gone has none. */
export async function anchorageOf(directory: string, target: Target | undefined): Promise<Anchorage> {
  if (target === undefined) return { elsewhere: 0, notAsked: "the stack is not up" };
  const { auditPlace, readAnchors } = await import("../operations/audit.ts");
  try {
    const { [auditPlace(directory, target.stack)]: anchor, ...others } = await readAnchors(target);
    const elsewhere = Object.keys(others).filter((place) => place.startsWith(`${target.stack}@`)).length;
    return { ...(anchor === undefined ? {} : { anchor }), elsewhere };
  } catch (error) {
    return { elsewhere: 0, notAsked: errorLine(error) };
  }
}

/** What an operator has to know about it, a line each. */
export function anchorageLines({ anchor, elsewhere, notAsked }: Anchorage): string[] {
  if (notAsked !== undefined)
    return [
      `not compared with the server (${notAsked}): records removed together with the head file would not show`,
    ];
  const others =
    elsewhere === 0 ? [] : [`${elsewhere} other folders or machines keep a log of this stack too`];
  if (anchor !== undefined) return others;
  return ["no anchor of this log is in the server yet: the next operation makes one", ...others];
}
