import { readFile } from "node:fs/promises";
import type { AgentConfiguration } from "../configuration.ts";
import { Refusal } from "../failure.ts";
import { repositoryConfigurationFile } from "../physical/pgbackrest.ts";

/** How an S3-compatible storage is reached, and where in it the repository is. */
export interface StorageAccess {
  /** Host, with a port where it is not 443. */
  readonly endpoint: string;
  readonly bucket: string;
  readonly region: string;
  readonly key: string;
  readonly secret: string;
  /** True: the bucket's name in the path; false: in the host's name. */
  readonly pathStyle: boolean;
  /** Certificate of the authority that signed the storage's, as PEM; absent: a public one did. */
  readonly authority?: string;
  /** What the names of the repository's objects begin with, such as `pgstack/`. */
  readonly prefix: string;
}

/** The keys of somebody else, in the place of the stack's own. */
export type StorageKeys = Pick<StorageAccess, "key" | "secret">;

/** Name of the repository in an object storage. */
export const STORAGE_REPOSITORY = "s3";

/**
 * How the stack's object storage is reached, from the configuration that pgBackRest reads: the keys are in no other place.
 *
 * @throws Refusal where there is none.
 */
export async function storageAccess(
  configuration: Pick<AgentConfiguration, "physical">,
): Promise<StorageAccess> {
  if (!configuration.physical.repositories.includes(STORAGE_REPOSITORY))
    throw new Refusal("the stack has no object storage: pgstack:backupS3");
  const text = await readFile(repositoryConfigurationFile(configuration, STORAGE_REPOSITORY), "utf8");
  const access = parseAccess(text);
  const file = option(text, "storage-ca-file");
  return file === undefined ? access : { ...access, authority: await readFile(file, "utf8") };
}

/** What pgBackRest's configuration of one repository says of its storage. */
export function parseAccess(text: string): StorageAccess {
  const port = option(text, "storage-port");
  const wanted = (name: string): string => {
    const value = option(text, name);
    if (value === undefined) throw new Error(`pgBackRest's configuration has no ${name}`);
    return value;
  };
  return {
    endpoint: port === undefined ? wanted("s3-endpoint") : `${wanted("s3-endpoint")}:${port}`,
    bucket: wanted("s3-bucket"),
    region: wanted("s3-region"),
    key: wanted("s3-key"),
    secret: wanted("s3-key-secret"),
    pathStyle: wanted("s3-uri-style") === "path",
    prefix: `${wanted("path").replace(/^\/+|\/+$/g, "")}/`.replace(/^\/$/, ""),
  };
}

function option(text: string, name: string): string | undefined {
  return new RegExp(`^repo\\d+-${name}=(.*)$`, "m").exec(text)?.[1];
}
