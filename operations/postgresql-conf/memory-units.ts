/** Bytes of the units of a parameter. Source: memory units in src/backend/utils/misc/guc.c */
export const MEMORY_UNITS: Readonly<Record<string, number>> = {
  B: 1,
  kB: 1024,
  MB: 1024 ** 2,
  GB: 1024 ** 3,
  TB: 1024 ** 4,
};
