import { networkInterfaces } from "node:os";
import { derivedName } from "../../agent/derived-name.ts";
import { LONGEST_DOCKER_NAME } from "../../settings/default-names.ts";
import { yaml } from "../yaml.ts";
import { freePort } from "./free-port.ts";

/** Settings that a throw-away stack has nothing for: places and permissions of the live one. */
const LEFT_OUT = new Set([
  ...["backupS3", "backupDirectory", "backupKey", "restore", "allowRestoreUntil", "upgradeFrom"],
  "adoptDataVolume",
]);
/** Names on the Docker host, which the live stack may have here. */
const NAMES = new Set([
  ...["containerName", "networkName", "dataVolumeName", "configurationVolumeName", "backupVolumeName"],
]);
const PREFIX = "pgstack:";

/** What stands in the place of ports that the live stack may have here; the same for the same one. */
export type Ports = Map<string, number>;

/**
 * Settings without what only the live stack's passphrase opens, and with places of their own. What is alike in two commits
 * is alike afterwards, so that their difference stays what it is.
 *
 * @param throwAway Name of the throw-away stack.
 * @param ports Kept between the commits.
 */
export async function throwAwaySettings(text: string, throwAway: string, ports: Ports): Promise<string> {
  const { isMap, isScalar, parseDocument } = yaml();
  const document = parseDocument(text);
  document.delete("encryptionsalt");
  document.delete("secretsprovider");
  document.delete("encryptedkey");
  const config = document.get("config");
  if (!isMap(config)) return document.toString({ lineWidth: 0 });
  for (const { key, value } of [...config.items]) {
    const name = isScalar(key) ? String(key.value).replace(PREFIX, "") : "";
    const secret = isMap(value) && value.has("secure");
    if (secret || LEFT_OUT.has(name)) config.delete(key);
    else if (NAMES.has(name))
      config.set(key, derivedName(String(config.get(key)), `-${throwAway}`, LONGEST_DOCKER_NAME));
  }
  const setting = (name: string): string | undefined => {
    const value = config.get(PREFIX + name);
    return value === undefined ? undefined : String(value);
  };
  if (setting("publish") === "true") {
    const given = setting("publishPort") ?? setting("port") ?? "5432";
    const port = ports.get(given) ?? (await freePort());
    ports.set(given, port);
    config.set(`${PREFIX}publishPort`, port);
    const address = setting("publishAddress");
    if (address !== undefined && !isHere(address)) config.set(`${PREFIX}publishAddress`, "127.0.0.1");
  }
  return document.toString({ lineWidth: 0 });
}

/** Whether something on this machine can listen there. */
function isHere(address: string): boolean {
  if (["0.0.0.0", "::"].includes(address)) return true;
  return Object.values(networkInterfaces()).some((list) => list?.some((one) => one.address === address));
}
