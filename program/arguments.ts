import { isIP } from "node:net";
import type { CertificatesArgs } from "../components/certificates.ts";
import type { DataVolumeArgs } from "../components/data-volume.ts";
import type { RoleKind } from "../components/role-secrets.ts";
import type { ContainerLimits } from "../components/server-container.ts";
import { bytesOf, type MemorySize } from "../settings/memory-size.ts";
import { parameterNumber } from "../settings/server-parameters.ts";
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

/**
 * Sessions that each role may have at once: a twentieth fewer than the server has for all of them, so that no role by
 * itself shuts out the others.
 */
export function connectionLimit(settings: Settings): number {
  const kept =
    (parameterNumber(settings, "superuser_reserved_connections") ?? 3) +
    (parameterNumber(settings, "reserved_connections") ?? 0);
  const open = settings.maxConnections - kept;
  return Math.max(1, open - Math.ceil(open / 20));
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

/** The file system in memory that holds the data; nothing where it is on disk. */
export function inMemory(
  { dataInMemory, dataInMemoryHugePages: hugePages }: Settings,
  imageId: string,
): Pick<DataVolumeArgs, "inMemory"> {
  if (dataInMemory === undefined) return {};
  return { inMemory: { megabytes: megabytes(dataInMemory), hugePages, imageId } };
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
