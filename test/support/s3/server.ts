import { randomBytes } from "node:crypto";
import { readFile } from "node:fs/promises";
import { fileURLToPath } from "node:url";
import type Docker from "dockerode";
import { issueCertificates } from "../../../operations/certificates.ts";
import { dockerEngine } from "../../../operations/docker.ts";
import { executeInContainer } from "../../../operations/execute.ts";
import { LABEL_STACK } from "../../../operations/target.ts";
import { makeArchive } from "../../../operations/volume/archive.ts";
import { goProgram } from "../go-program.ts";
import { TEST_IMAGE } from "../image.ts";

/** What goes wrong between a client and the server. */
export interface StorageFaults {
  /** Every so manieth request is answered with 503. */
  readonly failEvery?: number;
  readonly delayMilliseconds?: number;
}

const FOLDER = "/s3";
const HOST = "s3.test";
const BUCKET = "backups";
const MODULE = fileURLToPath(new URL("./versitygw/", import.meta.url));
const PACKAGE = "github.com/versity/versitygw/cmd/versitygw";
const FRONT = fileURLToPath(new URL("./front.mjs", import.meta.url));

/**
 * A real S3 server in the network that a stack reaches its storage by, spoken to over TLS. It bears the stack's label: what removes the test's
 * project removes it.
 */
export class S3Server {
  /** Certificate of the authority that signed the server's. */
  readonly authority: string;
  readonly key = randomBytes(10).toString("hex").toUpperCase();
  readonly secret = randomBytes(20).toString("hex");
  readonly #container: Docker.Container;
  readonly #name: string;

  private constructor(container: Docker.Container, name: string, authority: string) {
    this.#container = container;
    this.#name = name;
    this.authority = authority;
  }

  /** Starts it in the network that the stack is going to use. */
  static async start(stack: string, network = `pgstack-${stack}-storage`): Promise<S3Server> {
    const docker = dockerEngine();
    const labels = { [LABEL_STACK]: stack };
    const there = await docker.listNetworks({ filters: { name: [network] } });
    if (!there.some(({ Name }) => Name === network)) {
      await docker.createNetwork({ Name: network, Driver: "bridge", Labels: labels });
    }
    const { authority, certificate, key } = await issueCertificates({
      ...{ commonName: HOST, names: [HOST], addresses: [] },
    });
    const name = `pgstack-${stack}-s3`;
    const container = await docker.createContainer({
      name,
      Image: TEST_IMAGE,
      Labels: labels,
      User: "root",
      Entrypoint: ["sh", "-c"],
      Cmd: [
        `set -e; mkdir -p ${FOLDER}/data/${BUCKET} ${FOLDER}/attributes
access=$(cat ${FOLDER}/access) secret=$(cat ${FOLDER}/secret)
ROOT_ACCESS_KEY="$access" ROOT_SECRET_KEY="$secret" ${FOLDER}/versitygw --quiet --port 127.0.0.1:7070 posix --sidecar ${FOLDER}/attributes ${FOLDER}/data &
exec node ${FOLDER}/front.mjs ${FOLDER} 7070`,
      ],
      HostConfig: { Init: true },
      NetworkingConfig: { EndpointsConfig: { [network]: { Aliases: [HOST] } } },
    });
    const server = new S3Server(container, name, authority.certificate);
    const files: [string, string | Buffer, number][] = [
      ["server.crt", certificate, 0o644],
      ["server.key", key, 0o600],
      ["access", server.key, 0o600],
      ["secret", server.secret, 0o600],
      ["front.mjs", await readFile(FRONT), 0o644],
      ["versitygw", await readFile(await goProgram("versitygw", MODULE, PACKAGE)), 0o755],
    ];
    const archive = await makeArchive([
      { header: { name: FOLDER.slice(1), type: "directory", mode: 0o755 } },
      ...files.map(([path, content, mode]) => ({
        header: { name: `${FOLDER.slice(1)}/${path}`, mode },
        content: Buffer.from(content),
      })),
    ]);
    await container.putArchive(archive, { path: "/" });
    await container.start();
    return server;
  }

  /** The setting `backupS3` that leads to it. */
  setting(authorityFile: string, over: Readonly<Record<string, unknown>> = {}): Record<string, unknown> {
    const { key, secret } = this;
    return { endpoint: HOST, bucket: BUCKET, key, secret, authorityFile, ...over };
  }

  async setFaults(faults: StorageFaults): Promise<void> {
    await this.shell(`printf %s '${JSON.stringify(faults)}' > ${FOLDER}/faults.json`);
  }

  /** Nobody answers any more. */
  async stop(): Promise<void> {
    await this.#container.stop({ t: 1 });
  }

  async startAgain(): Promise<void> {
    await this.#container.start();
  }

  /** What a shell command in its container prints; the bucket is the folder `data/backups` there. */
  async shell(script: string): Promise<string> {
    const target = { stack: "", container: this.#name, port: 0, database: "" };
    const { stdout, stderr, exitCode } = await executeInContainer(target, {
      command: ["sh", "-c", `cd ${FOLDER} && ${script}`],
      user: "root",
    });
    if (exitCode !== 0) throw new Error(`exit code ${exitCode}: ${stderr}`);
    return stdout.trim();
  }
}
