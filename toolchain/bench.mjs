import { existsSync } from "node:fs";
import { join } from "node:path";
import { provideDebianTools } from "./debian-tools.mjs";
import { cacheDirectory, PROJECT_DIRECTORY } from "./directories.mjs";
import { runMain } from "./main.mjs";
import { Progress } from "./progress.mjs";
import { runAttached } from "./run.mjs";
import { setUp } from "./set-up.mjs";

/** The peer comes from here; Debian 12 has an older one. */
const COMPOSE = { packages: ["docker-compose"], codename: "trixie", program: "usr/bin/docker-compose" };

await runMain(async () => {
  const { environment, node } = await setUp();
  const progress = new Progress();
  const tools = await progress.step("Docker Compose, to compare with", (note) =>
    provideDebianTools({
      cacheDirectory: cacheDirectory(),
      packages: COMPOSE.packages,
      codename: COMPOSE.codename,
      log: note,
    }),
  );
  const program = [
    join(tools, COMPOSE.program),
    join(tools, "usr/libexec/docker/cli-plugins/docker-compose"),
  ].find((path) => existsSync(path));
  return runAttached(node, [join(PROJECT_DIRECTORY, "bench", "provision.ts")], {
    cwd: PROJECT_DIRECTORY,
    env: {
      ...environment,
      PGSTACK_IMAGE: environment.PGSTACK_IMAGE ?? "postgres:16-alpine",
      BENCH_COMPOSE: program,
    },
  });
});
