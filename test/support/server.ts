import { ENTRYPOINT } from "../../operations/before-start.ts";
import { issueCertificates } from "../../operations/certificates.ts";
import { dockerEngine } from "../../operations/docker.ts";
import { waitUntilReady } from "../../operations/readiness.ts";
import type { ServerTrust, Target } from "../../operations/target.ts";
import { readContainerFile } from "../../operations/volume/archive.ts";
import { postgresOwner, writeVolumeFiles } from "../../operations/volume-files.ts";
import { TEST_IMAGE } from "./image.ts";
import {
  configurationVolumeOf,
  dataVolumeOf,
  labelsOf,
  removeServer,
  startServerContainer,
} from "./server-container.ts";
import { uniqueName } from "./volumes.ts";

/** A locked-down server that several tests share: TLS, every role over TCP by SCRAM, no role and no database made. */
export interface TestServer {
  readonly target: Target;
  readonly trust: ServerTrust;
  /** Removes container, volumes and network. */
  remove(): Promise<void>;
}

/** How a {@link TestServer} differs from the usual one. */
export interface TestServerOptions {
  /** Lines at the end of postgresql.conf. */
  readonly parameters?: string;
  /** Default: PostgreSQL with the stack's file. */
  readonly command?: readonly string[];
  readonly restart?: "no" | "always";
  /** Wait until it takes connections. Default: true. */
  readonly ready?: boolean;
  /** On an ordinary network, with its port published on 127.0.0.1. Default: an internal network. */
  readonly published?: boolean;
  /** Size of the data volume, which then is in memory, for example `96m`. Default: unlimited, on disk. */
  readonly dataSize?: string;
  /** A first process that takes over what killed programs leave: PostgreSQL in its place takes their end for a crash. */
  readonly init?: boolean;
}

// Any role may sign in to any database, so that what a role can't do is PostgreSQL's own refusal.
const HBA = `local all "postgres" peer
local all "/^pgstack_limited_" scram-sha-256
host all "postgres" all reject
hostnossl all all all reject
hostssl all all all scram-sha-256
`;

const CONFIGURATION = `listen_addresses = '*'
hba_file = '/etc/pgstack/pg_hba.conf'
unix_socket_directories = '/var/run/postgresql'
shared_preload_libraries = 'pg_stat_statements'
pg_stat_statements.track = all
shared_buffers = 32MB
ssl = on
ssl_cert_file = '/etc/pgstack/tls/server.crt'
ssl_key_file = '/etc/pgstack/tls/server.key'
ssl_min_protocol_version = 'TLSv1.2'
log_statement = all
log_min_duration_statement = 0
log_connections = on
logging_collector = on
log_directory = 'log'
`;

/** Starts a server under a name of its own. */
export async function startServer(options: TestServerOptions = {}): Promise<TestServer> {
  const docker = dockerEngine();
  const name = uniqueName("sql");
  const labels = labelsOf(name);
  const configuration = configurationVolumeOf(name);
  const target: Target = { stack: name, container: name, port: 5432, database: "app" };
  const remove = () => removeServer(name);
  try {
    await docker.createNetwork({ Name: name, Internal: options.published !== true, Labels: labels });
    const size =
      options.dataSize === undefined
        ? {}
        : {
            DriverOpts: {
              type: "tmpfs",
              device: "tmpfs",
              o: `size=${options.dataSize},mode=0700,${await imageOwner()}`,
            },
          };
    await docker.createVolume({ Name: dataVolumeOf(name), Labels: labels, ...size });
    await docker.createVolume({ Name: configuration, Labels: labels });
    const { certificate, key, authority } = await issueCertificates({
      commonName: name,
      names: [name],
      addresses: [],
    });
    await writeVolumeFiles(docker, {
      volume: configuration,
      image: TEST_IMAGE,
      directory: "",
      labels,
      files: [
        { path: "postgresql.conf", content: CONFIGURATION + (options.parameters ?? ""), mode: 0o600 },
        { path: "pg_hba.conf", content: HBA, mode: 0o600 },
        { path: "tls/server.crt", content: certificate, mode: 0o600 },
        { path: "tls/server.key", content: key, mode: 0o600 },
      ],
    });
    await startServerContainer(name, {
      Entrypoint: [...ENTRYPOINT],
      ...(options.command === undefined ? {} : { Cmd: [...options.command] }),
      ExposedPorts: { "5432/tcp": {} },
      HostConfig: {
        ...(options.published === true
          ? { PortBindings: { "5432/tcp": [{ HostIp: "127.0.0.1", HostPort: "0" }] } }
          : {}),
        Init: options.init ?? false,
        ShmSize: 64 * 1024 * 1024,
        RestartPolicy: { Name: options.restart ?? "no" },
      },
    });
    if (options.ready ?? true) await waitUntilReady(target, { timeoutSeconds: 60 });
    return { target, trust: { authority: authority.certificate, serverName: name }, remove };
  } catch (error) {
    await remove();
    throw error;
  }
}

/** Ids of the image's user `postgres` as a mount wants them. */
async function imageOwner(): Promise<string> {
  const container = await dockerEngine().createContainer({ Image: TEST_IMAGE, NetworkDisabled: true });
  try {
    const passwd = await readContainerFile(container, "/etc/passwd");
    const owner = postgresOwner(passwd?.content.toString("utf8") ?? "");
    return `uid=${owner?.uid},gid=${owner?.gid}`;
  } finally {
    await container.remove({ v: true });
  }
}
