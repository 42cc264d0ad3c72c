import { mkdir, mkdtemp, rm, stat, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { AgentConfiguration } from "../configuration.ts";
import type { Context } from "../context.ts";
import { namesIn, syncPath } from "../files.ts";
import { pgbackrest, repositoryConfigurationFile } from "./pgbackrest.ts";

/** What the local repository has and the object storage lacks. */
export interface QueueState {
  readonly waiting: number;
  /** When the first of them came; absent when nothing waits. */
  readonly since?: string;
}

/** One segment, compressed. */
const PUSH_SECONDS = 60;
const SEGMENT = /^[0-9A-F]{24}$/;
const WRITE_AHEAD_LOG = /^[0-9A-F]{24}$|^[0-9A-F]{8}\.history$/;

/** How many segments wait for the object storage, and since when. */
export async function queueState({ physical }: AgentConfiguration): Promise<QueueState> {
  const names = await queued(physical.queueDirectory);
  const [first] = names;
  if (first === undefined) return { waiting: 0 };
  const { mtime } = await stat(join(physical.queueDirectory, first));
  return { waiting: names.length, since: mtime.toISOString() };
}

/** Notes that the object storage lacks a segment which the local repository has. */
export async function enqueue({ physical }: AgentConfiguration, segment: string): Promise<void> {
  await mkdir(physical.queueDirectory, { recursive: true, mode: 0o700 });
  await writeFile(join(physical.queueDirectory, segment), "");
  await syncPath(physical.queueDirectory);
}

/**
 * Hands over to the object storage what it did not take from the server, out of the local repository, the oldest first.
 * What was handed over twice is taken once: its content is the same.
 *
 * @throws Error when the storage still is away.
 */
export async function flushQueue(
  configuration: AgentConfiguration,
  context: Pick<Context, "signal">,
): Promise<void> {
  const { queueDirectory, stanza } = configuration.physical;
  const names = await queued(queueDirectory);
  if (names.length === 0) return;
  const alone = (repository: string) => ({
    physical: {
      ...configuration.physical,
      configurationFile: repositoryConfigurationFile(configuration, repository),
      stanza,
    },
  });
  const folder = await mkdtemp(join(tmpdir(), "segment-"));
  try {
    for (const name of names) {
      // What else is archived are notes on backups, which no recovery reads.
      if (WRITE_AHEAD_LOG.test(name)) {
        const path = join(folder, name);
        await pgbackrest(alone("local"), "archive-get", { path: [name, path], context });
        await pgbackrest(alone("s3"), "archive-push", {
          path: [path],
          timeoutSeconds: PUSH_SECONDS,
          context,
        });
        await rm(path, { force: true });
      }
      await rm(join(queueDirectory, name), { force: true });
    }
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

/** The segments that the object storage lacks. */
export async function queuedSegments({ physical }: AgentConfiguration): Promise<string[]> {
  return (await queued(physical.queueDirectory)).filter((name) => SEGMENT.test(name));
}

async function queued(folder: string): Promise<string[]> {
  return (await namesIn(folder)).sort();
}
