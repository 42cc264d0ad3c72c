import { createHash } from "node:crypto";

/** Longest name that PostgreSQL keeps (NAMEDATALEN less its terminator): it cuts longer ones without an error. */
export const LONGEST_NAME_BYTES = 63;
/** 48 bits: two names of one cluster do not meet by chance. */
const HASH_DIGITS = 12;

/**
 * A name that the stack makes from a user's, such as `shop_restore`. Where both together are too long, the user's part is
 * shortened and a hash of the whole takes the place of what is left out, so that names that differ stay different.
 *
 * @param suffix Begins with the character that also separates the hash.
 * @param longest Bytes that the result may have.
 */
export function derivedName(name: string, suffix: string, longest = LONGEST_NAME_BYTES): string {
  const whole = `${name}${suffix}`;
  if (Buffer.byteLength(whole) <= longest) return whole;
  const hash = createHash("sha256").update(whole).digest("hex").slice(0, HASH_DIGITS);
  const end = `${suffix.slice(0, 1)}${hash}${suffix}`;
  const room = longest - Buffer.byteLength(end);
  if (room < 1) throw new RangeError(`${JSON.stringify(suffix)} leaves a name of ${longest} bytes no room`);
  return `${firstBytes(name, room)}${end}`;
}

/** The whole characters that fit into so many bytes. */
function firstBytes(text: string, most: number): string {
  let kept = "";
  let bytes = 0;
  for (const character of text) {
    bytes += Buffer.byteLength(character);
    if (bytes > most) break;
    kept += character;
  }
  return kept;
}
