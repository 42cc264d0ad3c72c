import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { dockerEngine } from "../../operations/docker.ts";
import { cacheDirectory } from "../../toolchain/directories.mjs";
import { installEngine, removeEngine, startEngine, stopEngine } from "../../toolchain/engine/index.mjs";
import { TEST_IMAGE } from "./image.ts";

/** Addresses for its networks, that no other engine on the machine hands out by itself. */
const ADDRESSES = [{ base: "10.217.0.0/16", size: 24 }];
const quiet = (): void => {};

/** A Docker engine of a test's own beside the one that all tests share, to be stopped, killed and started. */
export class SecondEngine {
  /** For DOCKER_HOST. */
  readonly host: string;
  readonly #home: string;
  readonly #installDirectory: string;
  #pid: number;

  private constructor(host: string, home: string, installDirectory: string, pid: number) {
    this.host = host;
    this.#home = home;
    this.#installDirectory = installDirectory;
    this.#pid = pid;
  }

  /** Starts it, with the tests' image in it. */
  static async start(): Promise<SecondEngine> {
    const shared = dockerEngine();
    const { installDirectory } = await installEngine({ cacheDirectory: cacheDirectory(), log: quiet });
    // Short, since a socket's path has a limit.
    const home = await mkdtemp(join(tmpdir(), "pge-"));
    try {
      const { host, pid } = await launch(installDirectory, home);
      const engine = new SecondEngine(host, home, installDirectory, pid);
      await dockerEngine(host).loadImage(await shared.getImage(TEST_IMAGE).get());
      return engine;
    } catch (error) {
      await removeEngine({ home, log: quiet });
      await rm(home, { recursive: true, force: true });
      throw error;
    }
  }

  /** Stops it as a machine that shuts down does: its containers first. */
  async stop(): Promise<void> {
    await stopEngine({ home: this.#home, log: quiet });
  }

  /** Ends it as a crash does. */
  kill(): void {
    process.kill(this.#pid, "SIGKILL");
  }

  /** Starts it again. */
  async startAgain(): Promise<void> {
    this.#pid = (await launch(this.#installDirectory, this.#home)).pid;
  }

  /** Stops it and removes all it had. */
  async remove(): Promise<void> {
    await removeEngine({ home: this.#home, log: quiet });
    await rm(this.#home, { recursive: true, force: true });
  }
}

function launch(installDirectory: string, home: string): Promise<{ host: string; pid: number }> {
  // Two engines that keep firewall rules would overwrite each other's.
  return startEngine({ installDirectory, home, log: quiet, iptables: false, addressPools: ADDRESSES });
}
