import { dockerEngine } from "../operations/docker.ts";
import { waitUntilReady } from "../operations/readiness.ts";
import { runAsSuperuser } from "../operations/superuser.ts";
import type { TestProject } from "../test/support/project.ts";
import { LiveStack } from "../test/support/security/live-stack.ts";

const WRITERS = 4;
const LOAD_MILLISECONDS = 5_000;

/** Kills the server while clients write, and counts the acknowledged commits that are not there afterwards. */
export async function lostAfterKill(
  project: TestProject,
): Promise<{ readonly acknowledged: number; readonly lost: number }> {
  const stack = await LiveStack.of(project);
  await runAsSuperuser(stack.target, "CREATE TABLE public.acknowledged (writer int, n int);", {
    ...{ database: "app", role: "administrator" },
  });
  const acknowledged = await Promise.all([
    ...Array.from({ length: WRITERS }, (_, writer) => write(stack, writer)),
    killed(stack).then(() => []),
  ]);
  const session = await stack.session("readonly");
  const { rows } = await session.query<{ key: string }>(
    "SELECT writer || '/' || n AS key FROM public.acknowledged",
  );
  await session.end();
  const there = new Set(rows.map(({ key }) => key));
  const keys = acknowledged.flat();
  return { acknowledged: keys.length, lost: keys.filter((key) => !there.has(key)).length };
}

/** Writes until the connection ends. */
async function write(stack: LiveStack, writer: number): Promise<string[]> {
  const keys: string[] = [];
  const session = await stack.session("application");
  try {
    for (let n = 1; ; n += 1) {
      await session.query("INSERT INTO public.acknowledged VALUES ($1, $2)", [writer, n]);
      keys.push(`${writer}/${n}`);
    }
  } catch {
    return keys;
  }
}

async function killed(stack: LiveStack): Promise<void> {
  await new Promise((resolve) => setTimeout(resolve, LOAD_MILLISECONDS));
  const container = dockerEngine().getContainer(stack.target.container);
  await container.kill({ signal: "SIGKILL" });
  await container.start();
  await waitUntilReady(stack.target, { timeoutSeconds: 120 });
}
