import { BACKUP_FILES } from "./backup-files.ts";
import { CONFIGURATION_DIRECTORY, STANZA } from "./postgresql-conf.ts";
import { UserError } from "./user-error.ts";

/** Where physical backups and the archive are kept. At least one of the two is needed. */
export interface PgbackrestOptions {
  /** Folder of the local repository in the containers. */
  readonly local?: string;
  readonly storage?: ObjectStorage;
  /** What repositories are encrypted with, by AES-256 in CBC mode. Absent: not at all. Secret. */
  readonly cipherPass?: string;
  /** The server's data directory in the containers. */
  readonly dataDirectory: string;
  readonly port: number;
  readonly socketDirectory: string;
  /** Processes that a backup or a restore uses at once. */
  readonly jobs: number;
}

/** An S3-compatible storage. */
export interface ObjectStorage {
  /** Host, with a port where it is not 443. */
  readonly endpoint: string;
  readonly bucket: string;
  readonly region: string;
  /** Folder in the bucket. */
  readonly path: string;
  readonly key: string;
  readonly secret: string;
  /** True: the bucket's name in the path; false: in the host's name. */
  readonly pathStyle: boolean;
  /** True: an own authority's certificate is in the configuration volume. */
  readonly ownAuthority: boolean;
}

/** pgBackRest's largest number: nothing is removed but what the stack's own retention names. */
const KEEP_ALL = 9_999_999;

/**
 * The text of pgbackrest.conf. Options: https://pgbackrest.org/configuration.html
 *
 * Small files are bundled and large ones stored by blocks, so that an incremental backup holds changed blocks only.
 * Level 1 of zstd is faster than two cores read, and compresses nearly as well as higher ones.
 */
export function renderPgbackrestConf(options: PgbackrestOptions): string {
  const repositories = [
    ...(options.local === undefined ? [] : [localRepository(options.local)]),
    ...(options.storage === undefined ? [] : [storageRepository(options.storage)]),
  ];
  const lines: string[] = [
    "# Written by the stack; a change made here by hand is replaced at the next run.",
    "[global]",
  ];
  repositories.forEach((repository, index) => {
    const common = {
      bundle: "y",
      block: "y",
      "retention-full-type": "count",
      "retention-full": KEEP_ALL,
      ...(options.cipherPass === undefined
        ? {}
        : { "cipher-type": "aes-256-cbc", "cipher-pass": options.cipherPass }),
    };
    for (const [name, value] of Object.entries({ ...repository, ...common })) {
      lines.push(line(`repo${index + 1}-${name}`, value));
    }
  });
  const own = {
    "compress-type": "zst",
    "compress-level": 1,
    "process-max": options.jobs,
    "start-fast": "y",
    delta: "y",
    // Docker gives both folders; they need not outlive a container.
    "lock-path": "/tmp/pgbackrest",
    "spool-path": "/tmp/pgbackrest-spool",
    "log-level-file": "off",
    "log-level-console": "warn",
    "log-level-stderr": "off",
    "archive-timeout": 60,
    // Tries are nested: a storage that is away is told of after some times this.
    "io-timeout": 10,
    "db-timeout": 1_800,
    "protocol-timeout": 1_830,
  };
  for (const [name, value] of Object.entries(own)) lines.push(line(name, value));
  lines.push("", `[${STANZA}]`);
  const server = {
    "pg1-path": options.dataDirectory,
    "pg1-port": options.port,
    "pg1-socket-path": options.socketDirectory,
    "pg1-user": "postgres",
    "pg1-database": "postgres",
  };
  for (const [name, value] of Object.entries(server)) lines.push(line(name, value));
  return `${lines.join("\n")}\n`;
}

/** Names of the repositories in pgBackRest's order. */
export function repositoryNames(options: Pick<PgbackrestOptions, "local" | "storage">): string[] {
  return [
    ...(options.local === undefined ? [] : ["local"]),
    ...(options.storage === undefined ? [] : ["s3"]),
  ];
}

/** The text for each of several repositories alone, by its name; nothing where there is one. */
export function renderRepositoryConfs(options: PgbackrestOptions): Record<string, string> {
  const { local, storage, ...rest } = options;
  if (local === undefined || storage === undefined) return {};
  return {
    local: renderPgbackrestConf({ ...rest, local }),
    s3: renderPgbackrestConf({ ...rest, storage }),
  };
}

type Options = Readonly<Record<string, string | number>>;

function localRepository(path: string): Options {
  return { type: "posix", path };
}

function storageRepository(storage: ObjectStorage): Options {
  const [host = "", port] = storage.endpoint.split(":");
  return {
    type: "s3",
    path: storage.path,
    "s3-endpoint": host,
    "s3-bucket": storage.bucket,
    "s3-region": storage.region,
    "s3-key": storage.key,
    "s3-key-secret": storage.secret,
    "s3-uri-style": storage.pathStyle ? "path" : "host",
    "storage-verify-tls": "y",
    ...(port === undefined ? {} : { "storage-port": port }),
    ...(storage.ownAuthority
      ? { "storage-ca-file": `${CONFIGURATION_DIRECTORY}/${BACKUP_FILES.storageAuthority}` }
      : {}),
  };
}

// The format knows no quotes: a value goes to the end of its line.
function line(name: string, value: string | number): string {
  const text = String(value);
  if (/[\p{Cc}]/u.test(text) || text !== text.trim()) {
    throw new UserError(`${name} of pgBackRest's configuration holds a line break or blanks at its ends`);
  }
  return `${name}=${text}`;
}
