import { createHash } from "node:crypto";
import { link, mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";

import { runProgram } from "../engine/run-program.mjs";
import { hashFile } from "./hashes.mjs";

/**
 * What the image says about itself, in the form of the OCI image specification.
 *
 * @typedef {object} ImageConfiguration
 * @property {string[]} Env
 * @property {string[]} Entrypoint
 * @property {string[]} Cmd
 * @property {Record<string, {}>} Volumes
 * @property {Record<string, {}>} ExposedPorts
 * @property {string} StopSignal
 * @property {Record<string, string>} Labels
 */

/**
 * Packs a folder so that the same files always give the same tar file.
 *
 * @param {{root: string, file: string, newestFileTime: number}} options
 * @returns {Promise<void>}
 */
export async function packFolder({ root, file, newestFileTime }) {
  const order = ["--sort=name", `--mtime=@${newestFileTime}`, "--numeric-owner", "--format=gnu"];
  await runProgram("tar", ["--create", "--file", file, "--directory", root, ...order, "."], {
    purpose: "packing an image",
  });
}

/**
 * Writes an archive that every Docker engine loads. The image's identity is
 * the hash of what is in it, time of creation included, which is fixed.
 *
 * @param {object} options
 * @param {string} options.file the archive to write
 * @param {string} options.work a folder for temporary files on the same file system
 * @param {string} options.reference
 * @param {string[]} options.layers tar files, the lowest first
 * @param {"amd64" | "arm64"} options.architecture
 * @param {ImageConfiguration} options.configuration
 * @param {number} options.created in seconds since 1970
 * @returns {Promise<string>} the image's id
 */
export async function writeImageArchive({
  file,
  work,
  reference,
  layers,
  architecture,
  configuration,
  created,
}) {
  const root = join(work, "archive");
  await mkdir(root);
  const hashes = await Promise.all(layers.map(hashFile));
  await Promise.all(layers.map((layer, index) => link(layer, join(root, `${hashes[index]}.tar`))));
  const time = new Date(created * 1000).toISOString();
  const content = JSON.stringify({
    architecture,
    os: "linux",
    created: time,
    config: configuration,
    rootfs: { type: "layers", diff_ids: hashes.map((hash) => `sha256:${hash}`) },
    history: hashes.map(() => ({ created: time, created_by: "pgstack toolchain" })),
  });
  const id = createHash("sha256").update(content).digest("hex");
  const manifest = [
    { Config: `${id}.json`, RepoTags: [reference], Layers: hashes.map((hash) => `${hash}.tar`) },
  ];
  await writeFile(join(root, `${id}.json`), content);
  await writeFile(join(root, "manifest.json"), JSON.stringify(manifest));
  await packFolder({ root, file, newestFileTime: created });
  return `sha256:${id}`;
}
