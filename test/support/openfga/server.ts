import { type ChildProcess, spawn } from "node:child_process";
import { randomBytes } from "node:crypto";
import { once } from "node:events";
import { readFile } from "node:fs/promises";
import { type AddressInfo, createServer, type Server, Socket } from "node:net";
import { fileURLToPath } from "node:url";
import { CredentialsMethod, OpenFgaClient } from "@openfga/sdk";
import { vi } from "vitest";
import { freePort } from "../../../cli/preview-change/free-port.ts";
import { goProgram } from "../go-program.ts";

const MODULE = fileURLToPath(new URL("./module/", import.meta.url));
const PACKAGE = "github.com/openfga/openfga/cmd/openfga";
const MODEL = fileURLToPath(new URL("../../../snapshots/openfga-model.json", import.meta.url));

/** A real OpenFGA server with a store of tenant roles, behind a door that can be shut. */
export class OpenFgaServer {
  readonly token: string;
  readonly client: OpenFgaClient;
  readonly storeId: string;
  readonly #process: ChildProcess;
  readonly #door: Door;

  private constructor(
    child: ChildProcess,
    door: Door,
    token: string,
    client: OpenFgaClient,
    storeId: string,
  ) {
    this.#process = child;
    this.#door = door;
    this.token = token;
    this.client = client;
    this.storeId = storeId;
  }

  static async start(): Promise<OpenFgaServer> {
    const program = await goProgram("openfga", MODULE, PACKAGE);
    const [http, grpc] = [await freePort(), await freePort()];
    const token = randomBytes(16).toString("hex");
    const child = spawn(program, ["run"], {
      stdio: "ignore",
      env: {
        PATH: process.env["PATH"],
        OPENFGA_DATASTORE_ENGINE: "memory",
        OPENFGA_HTTP_ADDR: `127.0.0.1:${http}`,
        OPENFGA_GRPC_ADDR: `127.0.0.1:${grpc}`,
        OPENFGA_PLAYGROUND_ENABLED: "false",
        OPENFGA_METRICS_ENABLED: "false",
        OPENFGA_AUTHN_METHOD: "preshared",
        OPENFGA_AUTHN_PRESHARED_KEYS: token,
      },
    });
    try {
      await vi.waitFor(() => reachable(http), { timeout: 60_000, interval: 100 });
      const credentials = { method: CredentialsMethod.ApiToken, config: { token } } as const;
      const apiUrl = `http://127.0.0.1:${http}`;
      const { id: storeId } = await new OpenFgaClient({ apiUrl, credentials }).createStore({
        name: "tenants",
      });
      const client = new OpenFgaClient({ apiUrl, storeId, credentials });
      await client.writeAuthorizationModel(JSON.parse(await readFile(MODEL, "utf8")));
      return new OpenFgaServer(child, await Door.open(http), token, client, storeId);
    } catch (error) {
      child.kill("SIGKILL");
      throw error;
    }
  }

  /** What the command line is told of it. */
  get environment(): Record<string, string> {
    const { token, storeId } = this;
    return {
      ...{ FGA_API_URL: `http://127.0.0.1:${this.#door.port}`, FGA_STORE_ID: storeId, FGA_API_TOKEN: token },
    };
  }

  /** Relations that a user has to a tenant by tuples of its own. */
  async relations(userId: string, tenantId: string): Promise<string[]> {
    const { tuples } = await this.client.read({ user: `user:${userId}`, object: `tenant:${tenantId}` });
    return tuples.map(({ key }) => key.relation).sort();
  }

  /** Shut: nobody answers any more. */
  setShut(shut: boolean): void {
    this.#door.shut = shut;
  }

  /** Is told of each request as it comes; shutting the door then keeps it out. */
  onRequest(listener: ((text: string) => void) | undefined): void {
    this.#door.onRequest = listener;
  }

  async stop(): Promise<void> {
    this.#door.close();
    if (this.#process.exitCode !== null) return;
    const exited = once(this.#process, "exit");
    this.#process.kill("SIGKILL");
    await exited;
  }
}

/** A port that hands connections on to another as long as it is not shut. */
class Door {
  shut = false;
  onRequest: ((text: string) => void) | undefined;
  readonly #server: Server;
  readonly #sockets = new Set<Socket>();

  private constructor(to: number) {
    this.#server = createServer((client) => {
      const server = new Socket();
      for (const socket of [client, server]) {
        this.#sockets.add(socket);
        socket.on("error", () => socket.destroy());
        socket.on("close", () => this.#sockets.delete(socket));
      }
      const end = () => {
        client.destroy();
        server.destroy();
      };
      if (this.shut) return end();
      server.connect(to, "127.0.0.1");
      client.on("data", (piece) => {
        this.onRequest?.(piece.toString("utf8"));
        if (this.shut) end();
        else server.write(piece);
      });
      server.on("data", (piece) => client.write(piece));
      client.on("end", end);
      server.on("end", end);
    });
  }

  static async open(to: number): Promise<Door> {
    const door = new Door(to);
    door.#server.listen(0, "127.0.0.1");
    await once(door.#server, "listening");
    return door;
  }

  get port(): number {
    return (this.#server.address() as AddressInfo).port;
  }

  close(): void {
    this.#server.close();
    for (const socket of this.#sockets) socket.destroy();
  }
}

async function reachable(port: number): Promise<void> {
  const response = await fetch(`http://127.0.0.1:${port}/healthz`);
  if (!response.ok) throw new Error(`OpenFGA answers ${response.status}`);
}
