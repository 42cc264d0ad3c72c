import { isIP } from "node:net";
import { text, value } from "./values.ts";

/** An address of the host to publish on. */
export function ipAddress() {
  return text("an IP address such as 127.0.0.1", (given) => isIP(given) !== 0 && !given.includes("%"));
}

/** A network in CIDR notation; a bare address means that address alone. */
export function network() {
  return value((given) => {
    const right = "a network such as 10.1.0.0/16 or fd00::/8";
    if (typeof given !== "string") return { right };
    const [address = "", prefix, ...rest] = given.split("/");
    const version = address.includes("%") ? 0 : isIP(address);
    const longest = version === 4 ? 32 : version === 6 ? 128 : -1;
    if (longest === -1 || rest.length > 0) return { right };
    if (prefix === undefined) return { fit: `${address}/${longest}` };
    return /^\d{1,3}$/.test(prefix) && Number(prefix) <= longest
      ? { fit: `${address}/${Number(prefix)}` }
      : { right: `${right}: what follows the slash is a number from 0 to ${longest}` };
  });
}

/** Whether an address can only be reached from the host itself. */
export function isLoopback(address: string): boolean {
  return address.startsWith("127.") || address === "::1";
}
