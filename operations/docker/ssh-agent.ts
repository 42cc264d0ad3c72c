import { spawn } from "node:child_process";
import type { Agent } from "node:http";
import { Duplex } from "node:stream";

// An import of node:http as a module reads all its names, also the one that loads a whole client for the web: 45 ms a process.
const http = process.getBuiltinModule("node:http");

/** Length of what `ssh` said that goes into an error. */
const LONGEST_COMPLAINT = 300;

/**
 * An HTTP agent whose connections are `ssh … docker system dial-stdio`, as Docker's own command line makes them.
 * The machine's ssh is used because it checks host keys against known_hosts; the client built into dockerode
 * accepts any.
 */
export function sshAgent(url: URL): Agent {
  const agent = new http.Agent({ keepAlive: false });
  agent.createConnection = () => dial(url);
  return agent;
}

function dial(url: URL): Duplex {
  const child = spawn("ssh", sshArguments(url), { stdio: ["pipe", "pipe", "pipe"] });
  let complaint = "";
  child.stderr.setEncoding("utf8").on("data", (text: string) => {
    complaint = (complaint + text).slice(-LONGEST_COMPLAINT);
  });
  const stream = Duplex.from({ readable: child.stdout, writable: child.stdin });
  child.on("error", (error) => stream.destroy(new Error(`ssh can't be run: ${error.message}`)));
  child.on("close", (code) => {
    if (code !== 0) stream.destroy(new Error(`ssh ${url.host}: ${complaint.trim() || `exit code ${code}`}`));
  });
  stream.on("close", () => child.kill());
  // What node:http asks of a socket; a pipe has none of it.
  return Object.assign(stream, {
    setTimeout: () => stream,
    setNoDelay: () => stream,
    setKeepAlive: () => stream,
    ref: () => stream,
    unref: () => stream,
  });
}

function sshArguments(url: URL): string[] {
  const user = url.username === "" ? [] : ["-l", decodeURIComponent(url.username)];
  const port = url.port === "" ? [] : ["-p", url.port];
  const command = ["docker", "system", "dial-stdio"];
  // "--" ends the options, so that a host name can never be read as one.
  return [
    "-o",
    "BatchMode=yes",
    "-o",
    "ConnectTimeout=30",
    "-T",
    ...user,
    ...port,
    "--",
    url.hostname,
    ...command,
  ];
}
