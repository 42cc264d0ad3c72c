import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { chmod, writeFile } from "node:fs/promises";
import { delimiter, dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { temporaryFolder } from "./temporary-folder.ts";

const MAIN = fileURLToPath(new URL("../../cli/main.ts", import.meta.url));

/** How a stand-in for `pulumi` answers: by the words that it was called with. */
export interface FakePulumi {
  /** Outputs as JSON, with and without secrets. Default: none. */
  readonly outputs?: object;
  /** Printed to standard error, with exit code 255, instead of any answer. */
  readonly error?: string;
  /** Says that it was called and then waits until it is ended. */
  readonly hangs?: boolean;
}

/** How a command line ended. */
export interface Ended {
  readonly exitCode: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

/** Outputs of a stack whose engine is nowhere. @param stack Its name. */
export function outputs(more: object = {}, stack = "dev"): object {
  return {
    connection: {
      target: { stack, container: "pgstack-test", port: 5432, database: "app" },
      roles: { administrator: "administrator", application: "application", readonly: "readonly" },
      tls: true,
      serverName: "pgstack-test",
      authority: "",
      published: null,
      logsDirectory: "logs",
      ...more,
    },
    deployed: {
      environment: "development",
      image: { reference: "postgres:16", pinned: "postgres@sha256:0" },
    },
    passwords: { administrator: "secret-one", application: "secret-two", readonly: "secret-three" },
  };
}

/** Starts `pgstack` as its launcher does, with a stand-in for `pulumi` and no Docker engine. */
export async function startPgstack(
  words: readonly string[],
  pulumi: FakePulumi = {},
  environment: Readonly<Record<string, string>> = {},
): Promise<ChildProcess> {
  const folder = await temporaryFolder();
  const program = join(folder, "pulumi");
  await writeFile(program, script(pulumi));
  await chmod(program, 0o755);
  const { PGSTACK_STACK: _stack, NO_COLOR: _color, FORCE_COLOR: _force, ...inherited } = process.env;
  return spawn(process.execPath, [MAIN, ...words], {
    env: {
      ...inherited,
      PATH: [folder, dirname(process.execPath), "/usr/bin", "/bin"].join(delimiter),
      DOCKER_HOST: `unix://${folder}/no-engine.sock`,
      ...environment,
    },
    stdio: ["ignore", "pipe", "pipe"],
  });
}

/** Runs `pgstack` to its end. */
export async function pgstack(
  words: readonly string[],
  pulumi: FakePulumi = {},
  environment: Readonly<Record<string, string>> = {},
): Promise<Ended> {
  return await ended(await startPgstack(words, pulumi, environment));
}

/** What a process printed, and how it ended. */
export async function ended(child: ChildProcess): Promise<Ended> {
  const printed = { stdout: "", stderr: "" };
  child.stdout?.setEncoding("utf8").on("data", (text: string) => {
    printed.stdout += text;
  });
  child.stderr?.setEncoding("utf8").on("data", (text: string) => {
    printed.stderr += text;
  });
  const [exitCode] = await once(child, "close");
  return { exitCode, ...printed };
}

function script({ outputs = {}, error, hangs }: FakePulumi): string {
  const head = "#!/bin/sh\n";
  if (hangs === true) return `${head}echo started >&2\nexec sleep 60\n`;
  if (error !== undefined) return `${head}cat >&2 << 'EOF'\n${error}\nEOF\nexit 255\n`;
  return `${head}cat << 'EOF'\n${JSON.stringify(outputs)}\nEOF\n`;
}
