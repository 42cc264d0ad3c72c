import { spawn } from "node:child_process";
import { existsSync } from "node:fs";
import { cp, mkdir, open, readFile, rename, rm, stat, writeFile } from "node:fs/promises";
import { basename, join } from "node:path";

import { UserError } from "../user-error.mjs";
import { engineAnswers } from "./engine-api.mjs";
import { withFileLock } from "./file-lock.mjs";
import { chooseIptables } from "./firewall.mjs";
import { engineHome } from "./home.mjs";
import { stopLeftovers } from "./leftovers.mjs";
import { removeWithMounts } from "./mounts.mjs";
import { isRunning, runningProcess, signalAll, waitUntil } from "./processes.mjs";
import { requireEngineCanRun } from "./requirements.mjs";
import { lastLines } from "./run-program.mjs";

/** @typedef {import("./home.mjs").EngineHome} EngineHome */

const START_TIMEOUT_MILLISECONDS = 60_000;

const LARGEST_LOG_BYTES = 10 * 1024 * 1024;

/**
 * @typedef {object} StartOptions
 * @property {string} installDirectory from `installEngine`
 * @property {string} home the folder of this engine's files, short enough for unix sockets
 * @property {(line: string) => void} log
 * @property {boolean} [iptables] whether the engine keeps firewall rules; false for a second engine on one machine,
 *   since two would overwrite each other's chains; true by default
 * @property {{base: string, size: number}[]} [addressPools] where networks get their addresses from; the engine's own pools by default
 */

/**
 * @typedef {object} RunningEngine
 * @property {string} host for DOCKER_HOST
 * @property {string} socket the path of the socket
 * @property {number} pid
 * @property {boolean} started false where it ran already
 */

/**
 * Starts the engine of a home unless it runs. It outlives the calling process.
 *
 * @param {StartOptions} options
 * @returns {Promise<RunningEngine>}
 * @throws {UserError} where the engine cannot run here, or does not come up
 */
export async function startEngine(options) {
  const home = engineHome(options.home);
  return withFileLock(home.lockFile, async () => {
    const running = await runningProcess(home.engineProcessFile, home.configurationFile);
    if (running !== undefined && (await waitForAnswer(home, running))) {
      return { host: `unix://${home.socket}`, socket: home.socket, pid: running, started: false };
    }
    await requireEngineCanRun(home.directory);
    await clearRemains(home);
    const programs = await copyPrograms(options.installDirectory, home);
    const environment = engineEnvironment(programs);
    const iptables = (options.iptables ?? true) && (await chooseIptables(programs, environment));
    if (!iptables && options.iptables !== false) {
      options.log(
        "no iptables works with this kernel: the engine keeps no firewall rules, so containers reach nothing outside",
      );
    }
    await writeFile(
      home.configurationFile,
      `${JSON.stringify(engineConfiguration(home, iptables, options.addressPools), null, 2)}\n`,
    );
    await writeFile(home.bootFile, await readBootId());
    const pid = await launch(join(programs, "bin", "dockerd"), environment, home);
    options.log(`started the private Docker engine at ${home.socket}`);
    return { host: `unix://${home.socket}`, socket: home.socket, pid, started: true };
  });
}

/**
 * @param {EngineHome} home
 * @param {boolean} iptables
 * @param {StartOptions["addressPools"]} addressPools
 */
function engineConfiguration(home, iptables, addressPools) {
  return {
    "data-root": home.dataRoot,
    "exec-root": home.execRoot,
    pidfile: home.engineProcessFile,
    hosts: [`unix://${home.socket}`],
    "storage-driver": "overlay2",
    // The default bridge is one per machine; every network here has a name instead.
    bridge: "none",
    "live-restore": false,
    iptables,
    ip6tables: false,
    "ip-forward": iptables,
    // With the systemd driver the engine would need a running systemd and its bus.
    "exec-opts": ["native.cgroupdriver=cgroupfs"],
    "log-driver": "json-file",
    "log-opts": { "max-size": "10m", "max-file": "3" },
    ...(addressPools === undefined ? {} : { "default-address-pools": addressPools }),
  };
}

/**
 * @param {string} programs
 * @returns {NodeJS.ProcessEnv}
 */
function engineEnvironment(programs) {
  const path = ["/usr/local/sbin", "/usr/local/bin", "/usr/sbin", "/usr/bin", "/sbin", "/bin"];
  return {
    ...process.env,
    PATH: [join(programs, "bin"), ...path].join(":"),
    LD_LIBRARY_PATH: join(programs, "lib"),
    XTABLES_LIBDIR: join(programs, "lib", "xtables"),
  };
}

/**
 * Copies the programs into the home: the engine goes on starting some of them
 * for each container, whatever becomes of the cache.
 *
 * @param {string} installDirectory
 * @param {EngineHome} home
 * @returns {Promise<string>}
 */
async function copyPrograms(installDirectory, home) {
  const programs = join(home.programs, basename(installDirectory));
  if (!existsSync(programs)) {
    await rm(home.programs, { recursive: true, force: true });
    const unfinished = `${programs}.unfinished`;
    await mkdir(home.programs, { recursive: true });
    await cp(installDirectory, unfinished, { recursive: true, verbatimSymlinks: true });
    await rename(unfinished, programs);
  }
  return programs;
}

/**
 * Removes what a killed engine or an earlier start of the machine left behind.
 *
 * @param {EngineHome} home
 */
async function clearRemains(home) {
  const silent = await runningProcess(home.engineProcessFile, home.configurationFile);
  if (silent !== undefined) {
    signalAll([silent], "SIGKILL");
    await waitUntil(async () => !(await isRunning(silent)), 5000);
  }
  await stopLeftovers(home);
  const lastBoot = await readFile(home.bootFile, "utf8").catch(() => "");
  if (lastBoot !== (await readBootId())) {
    // Sockets and network namespaces in it are dead.
    await removeWithMounts(home.execRoot);
  }
}

/** @returns {Promise<string>} a number that the kernel draws at each start */
function readBootId() {
  return readFile("/proc/sys/kernel/random/boot_id", "utf8");
}

/**
 * @param {string} program
 * @param {NodeJS.ProcessEnv} environment
 * @param {EngineHome} home
 * @returns {Promise<number>} the process
 */
async function launch(program, environment, home) {
  const size = (await stat(home.logFile).catch(() => undefined))?.size ?? 0;
  if (size > LARGEST_LOG_BYTES) {
    await rename(home.logFile, `${home.logFile}.1`);
  }
  const logStart = size > LARGEST_LOG_BYTES ? 0 : size;
  const logFile = await open(home.logFile, "a");
  const engine = spawn(program, ["--config-file", home.configurationFile], {
    cwd: home.directory,
    env: environment,
    detached: true,
    stdio: ["ignore", logFile.fd, logFile.fd],
  });
  await logFile.close();
  engine.on("error", () => {});
  engine.unref();
  const pid = engine.pid;
  if (pid === undefined || !(await waitForAnswer(home, pid))) {
    const written = (await readFile(home.logFile)).subarray(logStart).toString("utf8");
    if (pid !== undefined) {
      signalAll([pid], "SIGKILL");
    }
    throw new UserError(
      `the private Docker engine did not come up (log: ${home.logFile}): ${lastLines(written, 2)}`,
    );
  }
  return pid;
}

/**
 * @param {EngineHome} home
 * @param {number} pid
 * @returns {Promise<boolean>} false where the engine ended or the time ran out
 */
async function waitForAnswer(home, pid) {
  let answered = false;
  await waitUntil(async () => {
    answered = await engineAnswers(home.socket);
    return answered || !(await isRunning(pid));
  }, START_TIMEOUT_MILLISECONDS);
  return answered;
}
