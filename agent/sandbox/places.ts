import { join } from "node:path";

/** The sandbox's user: another than the agent's, so that neither can pass for the other or write what is the other's. */
export const SANDBOX_USER = "nobody";

/** What agent and sandbox share, at the same path in both containers. */
export interface SandboxPlaces {
  /** Named pipe with the ids of sessions that are to begin. */
  readonly requests: string;
  /** A folder for each session, the agent's: the sandbox reads it. */
  readonly sessions: string;
  /** The clusters, which the sandbox makes its own. */
  readonly clusters: string;
  /** One session at a time. */
  readonly lock: string;
}

export function sandboxPlaces(root: string): SandboxPlaces {
  return {
    requests: join(root, "requests"),
    sessions: join(root, "sessions"),
    clusters: join(root, "clusters"),
    lock: join(root, ".sandbox-lock"),
  };
}

/** The files of one session. */
export function sessionFiles(root: string, id: string) {
  const { sessions, clusters } = sandboxPlaces(root);
  const folder = join(sessions, id);
  const own = join(clusters, id);
  return {
    folder,
    /** A cluster that the agent has restored, in the sandbox's hands from here on; absent: an empty one is made. */
    cluster: join(clusters, `${id}-restored`),
    /** The files of it by which the archive is known, as they were before the server had it. */
    control: join(folder, "control"),
    script: join(folder, "session.sh"),
    fetch: join(folder, "fetch.sh"),
    log: join(folder, "log"),
    /** There when the session may go on: the cluster, if any, is in its place. */
    ready: join(folder, "ready"),
    /** Locked by the agent as long as it wants the server. */
    wanted: join(folder, "wanted"),
    /** Locked by the session as long as it lasts. */
    running: join(folder, "running"),
    /** Named pipes for segments that recovery asks for, and where they are put. */
    asked: join(folder, "asked"),
    answers: join(folder, "answers"),
    supply: join(folder, "wal"),
    own,
    dataDirectory: join(own, "data"),
  };
}
