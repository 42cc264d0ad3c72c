import { randomBytes } from "node:crypto";
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import type Docker from "dockerode";
import type { StorageAccess, StorageKeys } from "../../../agent/storage/access.ts";
import { contentMd5, type StorageAnswer, type StorageRequest } from "../../../agent/storage/request.ts";
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
const MEND = fileURLToPath(new URL("./mend.mjs", import.meta.url));
const ASK = fileURLToPath(new URL("./ask.mjs", import.meta.url));
const AGENT = fileURLToPath(new URL("../../../agent/", import.meta.url));
/** What asks the server from inside its container. */
const CLIENT = ["failure.ts", "storage/request.ts"];

/** How the server is started. */
export interface S3ServerOptions {
  /** Network that it is put into. Default: the one that the stack reaches its storage by. */
  readonly network?: string;
  /** Stack whose that network is. Default: the one whose label the server bears. */
  readonly networkOf?: string;
  /** The key in the settings is a user's with no rights of its own, and versions can be kept. Default: the owner's key. */
  readonly withUser?: boolean;
}

/** What the user may do in the bucket, or with its objects. */
export interface UserStatement {
  readonly actions: readonly string[];
  /** Such as `/*`. Default: the bucket itself. */
  readonly objects?: string;
}

async function ensureNetwork(name: string, labels: Record<string, string>): Promise<void> {
  const docker = dockerEngine();
  const there = await docker.listNetworks({ filters: { name: [name] } });
  if (there.some(({ Name }) => Name === name)) return;
  await docker.createNetwork({ Name: name, Driver: "bridge", Labels: labels });
}

function newKeys(): StorageKeys {
  return { key: randomBytes(10).toString("hex").toUpperCase(), secret: randomBytes(20).toString("hex") };
}

/**
 * A real S3 server in the network that a stack reaches its storage by, spoken to over TLS. It bears the stack's label: what removes the test's
 * project removes it.
 */
export class S3Server {
  /** Certificate of the authority that signed the server's. */
  readonly authority: string;
  /** Keys that may do everything. */
  readonly owner = newKeys();
  /** Those of the settings. */
  readonly keys: StorageKeys;
  readonly #container: Docker.Container;
  readonly #name: string;

  private constructor(container: Docker.Container, name: string, authority: string, withUser: boolean) {
    this.keys = withUser ? newKeys() : this.owner;
    this.#container = container;
    this.#name = name;
    this.authority = authority;
  }

  /** Starts it in the network that the stack is going to use. */
  static async start(
    stack: string,
    { network = `pgstack-${stack}-storage`, networkOf = stack, withUser = false }: S3ServerOptions = {},
  ): Promise<S3Server> {
    const docker = dockerEngine();
    const labels = { [LABEL_STACK]: stack };
    await ensureNetwork(network, { [LABEL_STACK]: networkOf });
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
        `set -e; mkdir -p ${FOLDER}/data${withUser ? "" : `/${BUCKET}`} ${FOLDER}/attributes ${FOLDER}/versions
access=$(cat ${FOLDER}/access) secret=$(cat ${FOLDER}/secret)
ROOT_ACCESS_KEY="$access" ROOT_SECRET_KEY="$secret" ${FOLDER}/versitygw --quiet --port 127.0.0.1:7070 --iam-dir ${FOLDER}/iam posix --sidecar ${FOLDER}/attributes --versioning-dir ${FOLDER}/versions ${FOLDER}/data &
exec node ${FOLDER}/front.mjs ${FOLDER} 7070 ${withUser ? "versions" : ""}`,
      ],
      HostConfig: { Init: true },
      NetworkingConfig: { EndpointsConfig: { [network]: { Aliases: [HOST] } } },
    });
    const server = new S3Server(container, name, authority.certificate, withUser);
    const { key: access, secret } = server.keys;
    const users = withUser ? { [access]: { access, secret, role: "user", userID: 0, groupID: 0 } } : {};
    const files: (readonly [string, string | Buffer, number])[] = [
      ["server.crt", certificate, 0o644],
      ["server.key", key, 0o600],
      ["access", server.owner.key, 0o600],
      ["secret", server.owner.secret, 0o600],
      ["iam/users.json", JSON.stringify({ accessAccounts: users }), 0o600],
      ["front.mjs", await readFile(FRONT), 0o644],
      ["mend.mjs", await readFile(MEND), 0o644],
      ["ask.mjs", await readFile(ASK), 0o644],
      ...(await Promise.all(
        CLIENT.map(async (path) => [`agent/${path}`, await readFile(join(AGENT, path)), 0o644] as const),
      )),
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
    if (withUser) await server.untilAnswering();
    return server;
  }

  /** Puts it into the network that another stack is going to reach it by, too. */
  async join(stack: string): Promise<void> {
    const network = `pgstack-${stack}-storage`;
    await ensureNetwork(network, { [LABEL_STACK]: stack });
    const endpoint = { Container: this.#container.id, EndpointConfig: { Aliases: [HOST] } };
    await dockerEngine().getNetwork(network).connect(endpoint);
  }

  /** Deletes every object below a prefix as whoever has the keys of the settings can. @returns How many there were. */
  async deleteAll(prefix: string): Promise<number> {
    let deleted = 0;
    for (;;) {
      const query = { "list-type": "2", prefix };
      const { body } = await this.ask({ method: "GET", query }, this.keys);
      const names = [...body.matchAll(/<Key>([^<]*)/g)].map(([, name = ""]) => name);
      if (names.length === 0) return deleted;
      const text = `<Delete>${names.map((name) => `<Object><Key>${name}</Key></Object>`).join("")}</Delete>`;
      const request = {
        method: "POST",
        query: { delete: "" },
        body: text,
        headers: contentMd5(text),
      } as const;
      const answer = await this.ask(request, this.keys);
      if (answer.status >= 300 || answer.body.includes("<Error>")) throw new Error(answer.body);
      deleted += names.length;
    }
  }

  async untilAnswering(): Promise<void> {
    const answers = () => this.ask({ method: "GET" }).then(({ status }) => status < 500);
    for (let left = 100; left > 0; left -= 1) {
      if (await answers().catch(() => false)) return;
      await delay(100);
    }
    throw new Error("the S3 server does not answer");
  }

  /** Asks it as the owner does, or with other keys; the bucket is {@link BUCKET}. */
  async ask(request: StorageRequest, keys: StorageKeys = this.owner): Promise<StorageAnswer> {
    const access: StorageAccess = {
      ...{ endpoint: HOST, bucket: BUCKET, region: "us-east-1", pathStyle: true, prefix: "", ...keys },
      authority: this.authority,
    };
    const target = { stack: "", container: this.#name, port: 0, database: "" };
    const { stdout, stderr, exitCode } = await executeInContainer(target, {
      command: ["node", `${FOLDER}/ask.mjs`],
      input: JSON.stringify([access, request]),
    });
    if (exitCode !== 0) throw new Error(`exit code ${exitCode}: ${stderr}`);
    return JSON.parse(stdout) as StorageAnswer;
  }

  /** Has the owner do something that must succeed. */
  async own(request: StorageRequest): Promise<StorageAnswer> {
    const { body } = request;
    const headers = { ...request.headers, ...(body === undefined ? {} : contentMd5(body)) };
    const answer = await this.ask({ ...request, headers });
    if (answer.status >= 300) throw new Error(`the S3 server refuses: ${answer.status} ${answer.body}`);
    return answer;
  }

  /** Says what the user may do, instead of what was said before. */
  async allow(...statements: readonly UserStatement[]): Promise<void> {
    const policy = {
      Version: "2012-10-17",
      Statement: statements.map(({ actions, objects = "" }) => ({
        ...{ Effect: "Allow", Principal: { AWS: [this.keys.key] }, Action: actions },
        Resource: `arn:aws:s3:::${BUCKET}${objects}`,
      })),
    };
    await this.own({ method: "PUT", query: { policy: "" }, body: JSON.stringify(policy) });
  }

  /** The setting `backupS3` that leads to it. */
  setting(authorityFile: string, over: Readonly<Record<string, unknown>> = {}): Record<string, unknown> {
    const { key, secret } = this.keys;
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
