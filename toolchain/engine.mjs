import { existsSync } from "node:fs";
import { engineDirectory } from "./directories.mjs";
import { engineStatus, installEngine, startEngine } from "./engine/index.mjs";

const LOCAL_SOCKET = "/var/run/docker.sock";

/**
 * The Docker engine to use: the one that DOCKER_HOST names, the machine's own, else a private one from Debian's packages.
 *
 * @param {{cache: string, note: (line: string) => void}} options
 * @returns {Promise<{dockerHost: string, isPrivate: boolean}>}
 */
export async function provideEngine({ cache, note }) {
  if (process.env.DOCKER_HOST) return { dockerHost: process.env.DOCKER_HOST, isPrivate: false };
  if (existsSync(LOCAL_SOCKET)) return { dockerHost: `unix://${LOCAL_SOCKET}`, isPrivate: false };
  const home = engineDirectory();
  const status = await engineStatus({ home });
  if (status.running) return { dockerHost: status.host, isPrivate: true };
  const { installDirectory } = await installEngine({ cacheDirectory: cache, log: note });
  const { host } = await startEngine({ installDirectory, home, log: note });
  return { dockerHost: host, isPrivate: true };
}

/** Whether an engine answers, and how to say so where none does. @param {string} dockerHost */
export async function engineAnswers(dockerHost) {
  if (!dockerHost.startsWith("unix://")) return true;
  const { engineAnswers: answers } = await import("./engine/engine-api.mjs");
  return answers(dockerHost.slice("unix://".length));
}
