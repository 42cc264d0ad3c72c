import { DATA_VOLUME_VARIABLE, EMPTIED, KNOWN_FILE, KNOWN_FOLDER } from "./before-start/lost-cluster.ts";
import { dockerEngine, findContainer } from "./docker.ts";
import { executeInContainer } from "./execute.ts";
import { heldReason } from "./held.ts";
import { CONFIGURATION_DIRECTORY } from "./postgresql-conf.ts";
import { LABEL_STACK, type Target } from "./target.ts";
import { HELPER_MOUNT } from "./volume/helper.ts";
import { runOnVolume } from "./volume/run.ts";
import { writeVolumeFiles } from "./volume-files.ts";

/** Notes outside of the data volume that the stack's database is in it, so that no new one is made where it is lost. */
export async function noteCluster(target: Target, systemIdentifier: string): Promise<void> {
  const known = await executeInContainer(target, { command: ["sh", "-c", `test -e "${KNOWN_FILE}"`] });
  if (known.exitCode === 0) return;
  const places = await placesOf(target);
  if (places === undefined) return;
  await writeVolumeFiles(dockerEngine(target.dockerHost), {
    ...{ volume: places.configurationVolume, image: places.image, directory: KNOWN_FOLDER },
    files: [{ path: places.dataVolume, content: `${systemIdentifier}\n`, mode: 0o600 }],
    labels: { [LABEL_STACK]: target.stack },
  });
}

/**
 * Lets a server that is held on an emptied data volume make a new cluster: for a stack that is made from its beginning, on
 * volumes that one before it has left.
 *
 * @returns Whether it was held for that.
 */
export async function forgetCluster(target: Target): Promise<boolean> {
  if ((await heldReason(target)) !== EMPTIED) return false;
  const places = await placesOf(target);
  if (places === undefined) return false;
  const { configurationVolume: volume, dataVolume, image } = places;
  const command = ["rm", "-f", `${HELPER_MOUNT}/${KNOWN_FOLDER}/${dataVolume}`];
  return (await runOnVolume(dockerEngine(target.dockerHost), { volume, image }, command)) === 0;
}

/** Of a container that an earlier version has made: undefined. */
async function placesOf(target: Target) {
  const found = await findContainer(dockerEngine(target.dockerHost), target.container);
  const variable = found?.Config.Env?.find((one) => one.startsWith(`${DATA_VOLUME_VARIABLE}=`));
  const mount = found?.Mounts.find(({ Destination }) => Destination === CONFIGURATION_DIRECTORY);
  if (found === undefined || variable === undefined || mount?.Name === undefined) return undefined;
  const dataVolume = variable.slice(DATA_VOLUME_VARIABLE.length + 1);
  return { dataVolume, configurationVolume: mount.Name, image: found.Image };
}
