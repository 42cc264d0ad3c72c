import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { deriveMemory } from "../../settings/derive.ts";
import { bytesOf, isMemorySize, memorySize } from "../../settings/memory-size.ts";
import { memoryNeeded } from "../../settings/needs.ts";
import { read, refusal } from "../support/settings.ts";

const MEGA = 1024 ** 2;
const limits = fc.integer({ min: 256, max: 4 * 1024 ** 2 }).map((megabytes) => memorySize(megabytes * MEGA));
const connections = fc.integer({ min: 8, max: 2000 });

describe("P6 memory derived from the container's limit", () => {
  it.each([
    [
      "1GB",
      100,
      { sharedBuffers: "256MB", effectiveCacheSize: "768MB", maintenanceWorkMem: "64MB", workMem: "2621kB" },
    ],
    [
      "4GB",
      100,
      { sharedBuffers: "1GB", effectiveCacheSize: "3GB", maintenanceWorkMem: "256MB", workMem: "10MB" },
    ],
    [
      "64GB",
      200,
      { sharedBuffers: "16GB", effectiveCacheSize: "48GB", maintenanceWorkMem: "1GB", workMem: "81MB" },
    ],
  ] as const)("P6 %s for %i connections", (limit, most, derived) => {
    expect(deriveMemory(limit, most)).toEqual(derived);
  });

  it("P6 every limit gives sizes that PostgreSQL takes and that fit together", () => {
    fc.assert(
      fc.property(limits, connections, (limit, most) => {
        const derived = deriveMemory(limit, most);
        for (const size of Object.values(derived)) expect(isMemorySize(size)).toBe(true);
        expect(bytesOf(derived.sharedBuffers)).toBeLessThanOrEqual(bytesOf(limit) / 4);
        expect(bytesOf(derived.sharedBuffers)).toBeGreaterThan(bytesOf(limit) / 4 - MEGA);
        expect(bytesOf(derived.effectiveCacheSize)).toBeLessThanOrEqual((bytesOf(limit) * 3) / 4);
        expect(bytesOf(derived.workMem)).toBeGreaterThanOrEqual(64 * 1024);
        expect(bytesOf(derived.maintenanceWorkMem)).toBeLessThanOrEqual(1024 * MEGA);
        const busy =
          bytesOf(derived.sharedBuffers) +
          bytesOf(derived.maintenanceWorkMem) +
          bytesOf(derived.workMem) * most;
        // Where work_mem is at its least, the connections are too many for the limit, which is refused.
        if (bytesOf(derived.workMem) > 64 * 1024) expect(busy).toBeLessThan(bytesOf(limit) * 0.6);
      }),
    );
  });

  it("P6 more memory never derives less, more connections never derive more", () => {
    fc.assert(
      fc.property(limits, limits, connections, connections, (one, other, few, many) => {
        const [small, large] = [one, other].toSorted((left, right) => bytesOf(left) - bytesOf(right));
        const [least = 8, most = 8] = [few, many].toSorted((left, right) => left - right);
        const [less, more] = [deriveMemory(small ?? one, most), deriveMemory(large ?? other, least)];
        for (const key of ["sharedBuffers", "effectiveCacheSize", "maintenanceWorkMem", "workMem"] as const) {
          expect(bytesOf(less[key])).toBeLessThanOrEqual(bytesOf(more[key]));
        }
      }),
    );
  });

  it("P6 a stack with derived memory is fit whenever its connections are", () => {
    fc.assert(
      fc.property(limits, connections, (memoryLimit, most) => {
        const config = { memoryLimit, maxConnections: String(most), deriveMemory: "true" };
        const sharedBuffers = deriveMemory(memoryLimit, most).sharedBuffers;
        const fits = memoryNeeded({ sharedBuffers, maxConnections: most }) <= bytesOf(memoryLimit);
        expect(refusal(config)).toHaveLength(fits ? 0 : 1);
      }),
    );
  });

  it("P6 a size that is given wins over the derived one", () => {
    const settings = read({ deriveMemory: "true", memoryLimit: "8GB", sharedBuffers: "1GB" });
    expect(settings).toMatchObject({ sharedBuffers: "1GB", effectiveCacheSize: "6GB", workMem: "20MB" });
  });
});

describe("P5 amounts of memory", () => {
  it("P5 keep their bytes when written and read again", () => {
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 2 ** 34 }), (kilobytes) => {
        expect(bytesOf(memorySize(kilobytes * 1024))).toBe(kilobytes * 1024);
      }),
    );
  });
});
