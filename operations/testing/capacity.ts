import { UserError } from "../user-error.ts";
import type { LeaseTable } from "./lease-table.ts";

/** Bounds of a pool. */
export interface CapacityLimits {
  /** Most databases at once, of all snapshots. Default: 50. */
  readonly maxDatabases?: number | undefined;
  /** Most bytes that all of them have, what their takers add included. Default: 8 GB. */
  readonly maxBytes?: number | undefined;
}

const MAX_DATABASES = 50;
const MAX_BYTES = 8 * 1024 ** 3;
/** Looking how large databases have become takes longer than giving one out. */
const MEASURE_MILLISECONDS = 5_000;

/** How many databases a pool may have. */
export class Capacity {
  readonly #databases: number;
  readonly #bytes: number;
  /** Bytes of a copy that nobody has written to. */
  #copy: number;
  /** Bytes that takers have added to theirs when it was last looked. */
  #added = 0;
  #lookedAt = Number.NEGATIVE_INFINITY;

  /** @throws UserError where there is no room for a single copy. */
  constructor(limits: CapacityLimits, copyBytes: number) {
    this.#databases = limits.maxDatabases ?? MAX_DATABASES;
    this.#bytes = limits.maxBytes ?? MAX_BYTES;
    this.#copy = copyBytes;
    if (copyBytes <= this.#bytes) return;
    throw new UserError(
      `--max-megabytes must be ${megabytes(copyBytes)} or more: that is what a single copy of the snapshot has`,
    );
  }

  /** Copies of another snapshot are given out from now on. */
  copies(bytes: number): void {
    this.#copy = bytes;
    this.#lookedAt = Number.NEGATIVE_INFINITY;
  }

  /** Looks how large the databases have become, every few seconds at most. */
  async look(table: LeaseTable): Promise<void> {
    if (performance.now() - this.#lookedAt < MEASURE_MILLISECONDS) return;
    this.#lookedAt = performance.now();
    const { databases, bytes } = await table.measure();
    this.#added = Math.max(0, bytes - databases * this.#copy);
  }

  /** Most databases that there may be now. */
  get most(): number {
    return Math.min(this.#databases, Math.floor((this.#bytes - this.#added) / this.#copy));
  }

  toString(): string {
    return `${this.#databases} databases and ${megabytes(this.#bytes)} MB`;
  }
}

function megabytes(bytes: number): number {
  return Math.ceil(bytes / 1024 ** 2);
}
