import { isIP } from "node:net";
import type { CertificatesArgs } from "../components/certificates.ts";
import type { RoleKind } from "../components/role-secrets.ts";
import type { ContainerLimits } from "../components/server-container.ts";
import { bytesOf, type MemorySize } from "../settings/memory-size.ts";
import type { Settings } from "../settings/settings.ts";

const MEGABYTE = 1024 ** 2;

/** Names of the roles by their kind. */
export function roleNames(settings: Settings): Record<RoleKind, string> {
  return {
    administrator: settings.administratorRole,
    application: settings.applicationRole,
    readonly: settings.readonlyRole,
  };
}

/** All of the server's parameters, those with a setting of their own among them. */
export function serverParameters(settings: Settings): Record<string, string | number | boolean> {
  return {
    ...settings.serverSettings,
    max_connections: settings.maxConnections,
    shared_buffers: settings.sharedBuffers,
    effective_cache_size: settings.effectiveCacheSize,
    work_mem: settings.workMem,
    maintenance_work_mem: settings.maintenanceWorkMem,
  };
}

/** What the container may use, in the Docker provider's units. */
export function containerLimits(settings: Settings): ContainerLimits {
  return {
    memoryMegabytes: megabytes(settings.memoryLimit),
    cpus: settings.cpuLimit,
    processes: settings.pidsLimit,
    sharedMemoryMegabytes: megabytes(settings.shmSize),
  };
}

/** How the server's certificate comes about. */
export function certificateArgs(
  settings: Settings,
): Pick<CertificatesArgs, "mode" | "serverName"> & Partial<CertificatesArgs> {
  const { tls, containerName: serverName } = settings;
  switch (tls.mode) {
    case "off":
      return { mode: "off", serverName };
    case "files":
      return { ...tls, serverName };
    case "generated": {
      const names = [...tls.names, ...(tls.domain === undefined ? [] : [tls.domain])];
      const addresses = settings.publish ? [settings.publishAddress] : [];
      return {
        mode: "generated",
        serverName,
        validityDays: tls.validityDays,
        renewBeforeDays: tls.renewBeforeDays,
        names: names.filter((name) => !isAddress(name)),
        // An address that stands for all of the host's own names none of them.
        addresses: [...names.filter(isAddress), ...addresses].filter(
          (address) => !["0.0.0.0", "::"].includes(address),
        ),
      };
    }
  }
}

function isAddress(name: string): boolean {
  return isIP(name) !== 0;
}

function megabytes(size: MemorySize): number {
  return Math.floor(bytesOf(size) / MEGABYTE);
}
