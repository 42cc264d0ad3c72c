import { formatBytes } from "./format-bytes.ts";

/** What a data volume was found to be. */
export interface VolumeState {
  readonly name: string;
  /** Value of the label `pgstack.stack`; absent when it bears none. */
  readonly stack?: string;
  /** Nothing in it. */
  readonly empty: boolean;
  /** Content of PG_VERSION; absent when there is none. */
  readonly postgresMajor?: string;
  /** From the stack's own mark in the data directory. */
  readonly proof?: { readonly stack: string; readonly systemIdentifier: string };
}

/** What the stack wants of its data volume. */
export interface VolumeWish {
  readonly stack: string;
  readonly major: number;
  /** Take a volume that the stack did not make. */
  readonly adoptDataVolume: boolean;
  /** Cluster that the stack had before; absent on a first run. */
  readonly systemIdentifier?: string;
}

/** Who has a port of the host. */
export interface PortHolder {
  /** For example `container web` or `process nginx (812)`. Absent where it cannot be known. */
  readonly name?: string;
}

/** Why the data volume cannot be used; undefined when it can. */
export function volumeProblem(found: VolumeState | undefined, wish: VolumeWish): string | undefined {
  if (found === undefined) {
    return wish.systemIdentifier === undefined
      ? undefined
      : `the data volume of stack ${wish.stack} is gone; restore a backup, or remove the stack's state to begin anew`;
  }
  const named = `data volume ${found.name}`;
  if (found.stack !== undefined && found.stack !== wish.stack) {
    return `${named} belongs to stack ${found.stack}: set pgstack:dataVolumeName to another name`;
  }
  if (found.stack === undefined && !wish.adoptDataVolume) {
    return `${named} was there before this stack: set pgstack:adoptDataVolume to true to use it, or pgstack:dataVolumeName to another name`;
  }
  if (found.postgresMajor === undefined) {
    // What our own unfinished first try left is no reason to stop: it is begun again.
    if (!found.empty && !isUnproven(found, wish.stack))
      return `${named} holds files that are no PostgreSQL data: set pgstack:dataVolumeName to another name`;
    return wish.systemIdentifier === undefined
      ? undefined
      : `${named} is empty, but stack ${wish.stack} had data: restore a backup, or remove the stack's state to begin anew`;
  }
  if (found.postgresMajor !== String(wish.major)) {
    return (
      `${named} holds PostgreSQL ${found.postgresMajor} data, and the image PostgreSQL ${wish.major}: ` +
      `set pgstack:image and pgstack:majorVersion to version ${found.postgresMajor} again (pgstack upgrade brings the data into a new stack of another version), or pgstack:dataVolumeName to another name`
    );
  }
  if (found.proof !== undefined && found.proof.stack !== "unknown" && found.proof.stack !== wish.stack) {
    if (!wish.adoptDataVolume) {
      return `${named} holds the database of stack ${found.proof.stack}: set pgstack:dataVolumeName to another name`;
    }
  }
  const actual = found.proof?.systemIdentifier;
  if (wish.systemIdentifier !== undefined && actual !== undefined && actual !== wish.systemIdentifier) {
    return `${named} holds another cluster (${actual}) than stack ${wish.stack} had (${wish.systemIdentifier})`;
  }
  return undefined;
}

/** True for a volume of this stack whose database never was healthy: nothing in it is missed. */
export function isUnproven(found: VolumeState, stack: string): boolean {
  return !found.empty && found.stack === stack && found.proof === undefined;
}

/** Why the image cannot be used. */
export function imageProblem(reference: string, major: number, wanted: number): string | undefined {
  return major === wanted
    ? undefined
    : `image ${reference} holds PostgreSQL ${major}, and pgstack:majorVersion is ${wanted}: set pgstack:image to one of PostgreSQL ${wanted}`;
}

/** Why a named thing in Docker cannot be used: it is another one's. */
export function ownershipProblem(
  kind: "network" | "container" | "volume",
  name: string,
  setting: string,
  stack: string,
  labels: Readonly<Record<string, string>> | undefined,
  labelName: string,
): string | undefined {
  const owner = labels?.[labelName];
  if (labels === undefined || owner === stack) return undefined;
  const whose = owner === undefined ? "was not made by this stack" : `belongs to stack ${owner}`;
  return `${kind} ${name} ${whose}: set pgstack:${setting} to another name`;
}

/** The line for a port that is taken. */
export function portProblem(address: string, port: number, holder: PortHolder): string {
  const by = holder.name === undefined ? "" : ` by ${holder.name}`;
  return `port ${port} on ${address} is in use${by}: set pgstack:publishPort to a free one`;
}

/** Why there is too little room; undefined when there is enough. */
export function spaceProblem(free: number, needed: number, path: string): string | undefined {
  return free >= needed
    ? undefined
    : `${path} has ${formatBytes(free)} free, and ${formatBytes(needed)} are needed: make room on the Docker host`;
}

/** True when a listener on one address keeps another from being bound on the same port. */
export function addressesCollide(one: string, other: string): boolean {
  return one === other || isWildcard(one) || isWildcard(other);
}

function isWildcard(address: string): boolean {
  return address === "0.0.0.0" || address === "::" || address === "";
}
