import { spawn } from "node:child_process";

/** How a run ended and what it said on both of its outputs. */
export interface Said {
  readonly code: number;
  readonly output: string;
}

/** Runs `pulumi` and keeps what it says. */
export async function say(
  words: readonly string[],
  {
    cwd,
    environment,
    signal,
  }: {
    readonly cwd: string;
    readonly environment: Readonly<Record<string, string>>;
    readonly signal: AbortSignal;
  },
): Promise<Said> {
  signal.throwIfAborted();
  const { PULUMI_CONFIG_PASSPHRASE_FILE: _, ...inherited } = process.env;
  const child = spawn("pulumi", words, {
    ...{ cwd, env: { ...inherited, ...environment }, stdio: ["ignore", "pipe", "pipe"], signal },
    killSignal: "SIGINT",
  });
  let output = "";
  for (const stream of [child.stdout, child.stderr]) {
    stream?.on("data", (piece: Buffer) => {
      output += String(piece);
    });
  }
  const code = await new Promise<number>((resolve, reject) => {
    child.once("error", reject);
    child.once("close", (ended) => resolve(ended ?? 1));
  });
  return { code, output };
}
