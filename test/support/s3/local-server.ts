import { type ChildProcess, spawn } from "node:child_process";
import { randomBytes } from "node:crypto";
import { mkdir, mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { freePort } from "../../../cli/preview-change/free-port.ts";
import { goProgram } from "../go-program.ts";

const MODULE = fileURLToPath(new URL("./versitygw/", import.meta.url));
const PACKAGE = "github.com/versity/versitygw/cmd/versitygw";
const BUCKET = "state";

/** A real S3 server on this machine alone, for Pulumi's state. */
export class LocalS3Server {
  readonly #child: ChildProcess;
  readonly #folder: string;
  /** What leads Pulumi to it: https://www.pulumi.com/docs/iac/concepts/state-and-backends/ */
  readonly environment: Readonly<Record<string, string>>;

  private constructor(child: ChildProcess, folder: string, environment: Readonly<Record<string, string>>) {
    this.#child = child;
    this.#folder = folder;
    this.environment = environment;
  }

  static async start(): Promise<LocalS3Server> {
    const program = await goProgram("versitygw", MODULE, PACKAGE);
    const folder = await mkdtemp(join(tmpdir(), "pgstack-s3-"));
    await mkdir(join(folder, "data", BUCKET), { recursive: true });
    await mkdir(join(folder, "attributes"));
    const [key, secret] = [randomBytes(10).toString("hex"), randomBytes(20).toString("hex")];
    const address = `127.0.0.1:${await freePort()}`;
    const words = ["--quiet", "--port", address, "posix", "--sidecar", join(folder, "attributes")];
    const child = spawn(program, [...words, join(folder, "data")], {
      env: { ROOT_ACCESS_KEY: key, ROOT_SECRET_KEY: secret },
      stdio: "ignore",
    });
    const server = new LocalS3Server(child, folder, {
      PULUMI_BACKEND_URL: `s3://${BUCKET}?endpoint=http://${address}&region=us-east-1&s3ForcePathStyle=true`,
      AWS_ACCESS_KEY_ID: key,
      AWS_SECRET_ACCESS_KEY: secret,
    });
    try {
      await answers(address, child);
    } catch (error) {
      await server.remove();
      throw error;
    }
    return server;
  }

  /** The file that the bucket's object is in. */
  object(...path: string[]): string {
    return join(this.#folder, "data", BUCKET, ...path);
  }

  async remove(): Promise<void> {
    this.#child.kill("SIGKILL");
    await rm(this.#folder, { recursive: true, force: true });
  }
}

async function answers(address: string, child: ChildProcess): Promise<void> {
  const end = Date.now() + 30_000;
  while (child.exitCode === null && Date.now() < end) {
    const status = await fetch(`http://${address}/`).then(
      (response) => response.status,
      () => undefined,
    );
    if (status !== undefined) return;
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
  throw new Error(`the S3 server does not answer (exit code ${child.exitCode})`);
}
