/**
 * A program of somebody else's that uses the components by themselves, with names that PostgreSQL takes and this
 * project's own settings do not. It is copied to the place of a test project's index.ts.
 */
import * as pulumi from "@pulumi/pulumi";
import {
  Certificates,
  Database,
  DataVolume,
  HealthCheck,
  IsolatedNetwork,
  RoleSecrets,
  Server,
} from "../../../components/index.ts";
import { dockerEngine } from "../../../operations/docker.ts";
import { resolveImage } from "../../../operations/image.ts";

const stack = pulumi.getStack();
const name = `pgstack-${stack}`;
const labels = { purpose: 'it\'s "odd"; $(touch pwned) `touch pwned`' };
const logsDirectory = "logs '; $(touch pwned)";
const { databaseName, roles, schemas } = JSON.parse(process.env.ODD_NAMES ?? "{}") as {
  databaseName: string;
  roles: Record<"administrator" | "application" | "readonly", string>;
  schemas: string[];
};

const image = await resolveImage(dockerEngine(), process.env.PGSTACK_IMAGE ?? "postgres:16-alpine");
const network = new IsolatedNetwork("network", { stack, networkName: name, labels, logsDirectory });
const volume = new DataVolume("volume", {
  stack,
  volumeName: `${name}-data`,
  configurationVolumeName: `${name}-configuration`,
  labels,
});
const { passwords } = new RoleSecrets("secrets");
const certificates = new Certificates("certificates", {
  mode: "generated",
  serverName: name,
  linksDirectory: 'links \'; $(touch pwned) "x"',
});
const server = new Server("server", {
  stack,
  containerName: name,
  database: databaseName,
  roles,
  image,
  networkName: network.networkName,
  dataVolume: volume.volumeName,
  configurationVolume: volume.configurationVolumeName,
  tls: certificates.tls,
  tlsEnabled: certificates.enabled,
  parameters: { shared_buffers: "32MB", "pgstack.note": "'; DROP TABLE x; -- $(touch pwned) \\" },
  limits: { memoryMegabytes: 512, cpus: 2, processes: 256, sharedMemoryMegabytes: 64 },
  labels,
  environment: "test",
  logsDirectory,
});
const database = new Database("database", {
  target: server.target,
  roles,
  passwords,
  schemas,
  firstProvision: server.firstProvision,
});
new HealthCheck("health", {
  target: server.target,
  roles,
  passwords,
  authority: certificates.authority,
  serverName: certificates.serverName,
  tls: certificates.enabled,
  triggers: [server.containerId, database.databaseName],
  firstProvision: server.firstProvision,
});

export const connection = {
  target: server.target,
  roles,
  tls: certificates.enabled,
  serverName: certificates.serverName,
  authority: certificates.authority,
};
export const deployed = { networkName: network.networkName, dataVolume: volume.volumeName };
const generated = pulumi.secret(pulumi.all(passwords));

export { generated as passwords };
