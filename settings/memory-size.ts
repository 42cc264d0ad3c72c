import { value } from "./values.ts";

/** An amount of memory as PostgreSQL writes it; 1MB is 1024kB. */
export type MemorySize = `${number}${"kB" | "MB" | "GB" | "TB"}`;

const BYTES = { kB: 1024, MB: 1024 ** 2, GB: 1024 ** 3, TB: 1024 ** 4 } as const;
const FORM = /^([1-9]\d{0,11})(kB|MB|GB|TB)$/;

/** Bytes of an amount of memory. */
export function bytesOf(size: MemorySize): number {
  const [, count = "", unit = ""] = FORM.exec(size) ?? [];
  return Number(count) * (BYTES[unit as keyof typeof BYTES] ?? Number.NaN);
}

/** The amount in the largest unit that leaves a whole number; a rest below 1kB is dropped. */
export function memorySize(bytes: number): MemorySize {
  for (const unit of ["TB", "GB", "MB"] as const) {
    if (bytes >= BYTES[unit] && bytes % BYTES[unit] === 0) return `${bytes / BYTES[unit]}${unit}`;
  }
  return `${Math.floor(bytes / BYTES.kB)}kB`;
}

/** Whether a text is an amount of memory. Units are case-sensitive, as they are to PostgreSQL. */
export function isMemorySize(given: string): given is MemorySize {
  return FORM.test(given);
}

/** An amount of memory within limits. */
export function memory(least: MemorySize, most: MemorySize) {
  const right = `an amount of memory from ${least} to ${most}, with the unit kB, MB, GB or TB`;
  return value<MemorySize>((given) => {
    const fits =
      typeof given === "string" &&
      isMemorySize(given) &&
      bytesOf(given) >= bytesOf(least) &&
      bytesOf(given) <= bytesOf(most);
    return fits ? { fit: given } : { right };
  });
}
