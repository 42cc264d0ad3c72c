import { executeInContainer } from "../operations/execute.ts";
import { runAsSuperuser } from "../operations/superuser.ts";
import type { Target } from "../operations/target.ts";

/** About 15 MB each: https://www.postgresql.org/docs/16/pgbench.html */
const SCALE = 70;
/** What has pgbench fill a database with a gigabyte. */
export const FILL = `--initialize --init-steps=dtGvp --quiet --scale=${SCALE}`;

/** Settings of a stack that a database of a gigabyte is measured in. */
export const ROOMY = {
  ...{ backup: true, memoryLimit: "3GB", sharedBuffers: "512MB", maintenanceWorkMem: "256MB" },
  serverSettings: { max_wal_size: "4GB" },
};

/** Fills the database with a gigabyte. @returns Its size, in words. */
export async function fillDatabase(target: Target): Promise<string> {
  await shell(target, `pgbench ${FILL} app`);
  await runAsSuperuser(target, "CHECKPOINT;");
  const bytes = Number(await shell(target, `psql -Atc "SELECT pg_database_size('app')" app`));
  return `${(bytes / 1024 ** 3).toFixed(2)} GiB`;
}

/** Runs a line in a container, as the superuser of the server whose socket it has. */
export async function shell(target: Target, script: string): Promise<string> {
  const environment = { PGUSER: "postgres", PGHOST: "/var/run/postgresql" };
  const command = ["sh", "-c", script];
  const { exitCode, stdout, stderr } = await executeInContainer(target, {
    ...{ command, environment, timeoutMilliseconds: 0 },
  });
  if (exitCode !== 0) throw new Error(`${script}: ${stderr || stdout}`);
  return stdout.trim();
}
