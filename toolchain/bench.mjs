import { existsSync } from "node:fs";
import { join } from "node:path";
import { provideDebianTools } from "./debian-tools.mjs";
import { cacheDirectory, PROJECT_DIRECTORY } from "./directories.mjs";
import { runMain } from "./main.mjs";
import { readOptions } from "./options.mjs";
import { Progress } from "./progress.mjs";
import { runAttached } from "./run.mjs";
import { setUp } from "./set-up.mjs";
import { UserError } from "./user-error.mjs";

/** The peer comes from here; Debian 12 has an older one. */
const COMPOSE = { packages: ["docker-compose"], codename: "trixie", program: "usr/bin/docker-compose" };

const BENCHMARKS = ["provision", "policies", "backup", "wear", "upgrade", "testing"];
const HELP = `npm run bench                all benchmarks; the figures go to bench/output as well
npm run bench -- NAME        one of ${BENCHMARKS.join(", ")}`;

await runMain(async () => {
  const { values, positionals } = readOptions(
    { allowPositionals: true, options: { help: { type: "boolean" } } },
    "npm run bench -- --help",
  );
  if (values.help) {
    console.log(HELP);
    return 0;
  }
  const unknown = positionals.find((name) => !BENCHMARKS.includes(name));
  if (unknown !== undefined)
    throw new UserError(`there is no benchmark ${unknown}: ${BENCHMARKS.join(", ")}`);
  const { environment, node } = await setUp();
  let code = 0;
  for (const name of positionals.length === 0 ? BENCHMARKS : positionals) {
    const more = name === "provision" ? { BENCH_COMPOSE: await compose() } : {};
    code ||= await runAttached(node, [join(PROJECT_DIRECTORY, "bench", `${name}.ts`)], {
      cwd: PROJECT_DIRECTORY,
      env: {
        ...environment,
        PGSTACK_IMAGE: environment.PGSTACK_IMAGE ?? "postgres:16-alpine",
        ...more,
      },
    });
  }
  return code;
});

async function compose() {
  const progress = new Progress();
  const tools = await progress.step("Docker Compose, to compare with", (note) =>
    provideDebianTools({
      cacheDirectory: cacheDirectory(),
      packages: COMPOSE.packages,
      codename: COMPOSE.codename,
      log: note,
    }),
  );
  return [join(tools, COMPOSE.program), join(tools, "usr/libexec/docker/cli-plugins/docker-compose")].find(
    (path) => existsSync(path),
  );
}
