import { readdir, readFile, readlink } from "node:fs/promises";
import { createServer } from "node:net";
import type Docker from "dockerode";
import { UserError } from "../user-error.ts";
import { addressesCollide, type PortHolder } from "./decide.ts";

/** A port that the stack wants to publish. */
export interface WantedPort {
  readonly address: string;
  readonly port: number;
  /** The stack's own container, which may hold the port already. */
  readonly container: string;
}

/**
 * Who holds a port of the Docker host; undefined when it is free, or held by the stack's own container.
 *
 * The engine's own published ports are always asked; on a local engine the port is also tried.
 *
 * @throws UserError when the address is not one of the local host.
 */
export async function portHolder(
  docker: Docker,
  wanted: WantedPort,
  local: boolean,
): Promise<PortHolder | undefined> {
  for (const container of await docker.listContainers()) {
    const holds = container.Ports.some(
      (one) =>
        one.PublicPort === wanted.port &&
        one.Type === "tcp" &&
        addressesCollide(one.IP ?? "", wanted.address),
    );
    const name = container.Names[0]?.replace(/^\//, "") ?? container.Id.slice(0, 12);
    if (holds) return name === wanted.container ? undefined : { name: `container ${name}` };
  }
  if (!local) return undefined;
  if (!(await cannotBeBound(wanted))) return undefined;
  const name = await listeningProcess(wanted);
  return name === undefined ? {} : { name };
}

async function cannotBeBound(wanted: WantedPort): Promise<boolean> {
  const server = createServer();
  try {
    await new Promise<void>((resolve, reject) => {
      server.once("error", reject);
      server.listen({ host: wanted.address, port: wanted.port, exclusive: true }, resolve);
    });
    return false;
  } catch (error) {
    const code = error instanceof Error && "code" in error ? error.code : undefined;
    if (code === "EADDRINUSE") return true;
    // The engine may bind what this user may not: then what listens is the only sign.
    if (code === "EACCES") return (await listeningSocket(wanted)) !== undefined;
    if (code === "EADDRNOTAVAIL" || code === "EINVAL") {
      throw new UserError(`pgstack:publishAddress ${wanted.address} is not an address of this host`);
    }
    throw error;
  } finally {
    if (server.listening) await new Promise((resolve) => server.close(resolve));
  }
}

/** The process that listens, as far as this user may see it. */
async function listeningProcess(wanted: WantedPort): Promise<string | undefined> {
  const inode = await listeningSocket(wanted);
  if (inode === undefined) return undefined;
  for (const pid of (await entries("/proc")).filter((name) => /^\d+$/.test(name))) {
    for (const descriptor of await entries(`/proc/${pid}/fd`)) {
      const target = await readlink(`/proc/${pid}/fd/${descriptor}`).catch(() => "");
      if (target !== `socket:[${inode}]`) continue;
      const command = await readFile(`/proc/${pid}/comm`, "utf8").catch(() => "");
      return `process ${command.trim() || "?"} (${pid})`;
    }
  }
  return undefined;
}

/** Inode of the socket that listens on the port: proc(5), /proc/net/tcp; state 0A is LISTEN. */
async function listeningSocket(wanted: WantedPort): Promise<string | undefined> {
  for (const file of ["/proc/net/tcp", "/proc/net/tcp6"]) {
    const text = await readFile(file, "utf8").catch(() => "");
    for (const line of text.split("\n").slice(1)) {
      const fields = line.trim().split(/\s+/);
      const [address = "", port = ""] = fields[1]?.split(":") ?? [];
      if (fields[3] !== "0A" || Number.parseInt(port, 16) !== wanted.port) continue;
      if (addressesCollide(readableAddress(address), wanted.address)) return fields[9];
    }
  }
  return undefined;
}

/** An address of /proc/net/tcp, which writes 32-bit words in the machine's byte order. */
function readableAddress(hexadecimal: string): string {
  if (/^0+$/.test(hexadecimal)) return "0.0.0.0";
  if (hexadecimal.length !== 8) return hexadecimal.toLowerCase();
  return [...Buffer.from(hexadecimal, "hex")].reverse().join(".");
}

async function entries(folder: string): Promise<string[]> {
  return await readdir(folder).catch(() => []);
}
