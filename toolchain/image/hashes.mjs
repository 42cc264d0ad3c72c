import { createHash } from "node:crypto";
import { createReadStream } from "node:fs";
import { readFile } from "node:fs/promises";
import { pipeline } from "node:stream/promises";

/**
 * @param {string} file
 * @returns {Promise<string>} SHA-256, hexadecimal
 */
export async function hashFile(file) {
  const hash = createHash("sha256");
  await pipeline(createReadStream(file), hash);
  return hash.digest("hex");
}

/**
 * One hash of values and files. The files' places do not count, only their contents and order.
 *
 * @param {unknown} values
 * @param {(string | URL)[]} files
 * @returns {Promise<string>} SHA-256, hexadecimal
 */
export async function hashInputs(values, files) {
  const contents = await Promise.all(files.map((file) => readFile(file)));
  const hash = createHash("sha256").update(JSON.stringify(values));
  for (const content of contents) {
    hash.update(`\0${content.length}\0`).update(content);
  }
  return hash.digest("hex");
}
