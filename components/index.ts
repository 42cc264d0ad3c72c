export { Certificates, type CertificatesArgs } from "./certificates.ts";
export { DataVolume, type DataVolumeArgs } from "./data-volume.ts";
export { Database, type DatabaseArgs } from "./database.ts";
export { HealthCheck, type HealthCheckArgs } from "./health-check.ts";
export { IsolatedNetwork, type IsolatedNetworkArgs } from "./isolated-network.ts";
export { ROLE_KINDS, type RoleKind, RoleSecrets, type RoleSecretsArgs } from "./role-secrets.ts";
export { Server, type ServerArgs } from "./server.ts";
export type { ContainerLimits } from "./server-container.ts";
