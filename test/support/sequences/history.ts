/** A row that a client asked for. */
interface Row {
  readonly id: number;
  /** Its commit was acknowledged. */
  readonly acknowledged: boolean;
  /** It must be there; of one that is not certain either is right. */
  readonly certain: boolean;
}

/** The rows from a moment on until the next one. */
interface Version {
  readonly moment: number;
  readonly rows: readonly Row[];
}

/** What a backup has of a history. */
export interface Snapshot {
  readonly versions: readonly Version[];
}

/** How what is there differs from what must be. */
export interface Difference {
  /** Acknowledged, and not there. */
  readonly lost: readonly number[];
  /** There, and not to be. */
  readonly wrong: readonly number[];
}

/**
 * What must be in a table of rows after all that was done to its server: the model that a real one is compared with. A
 * restore cuts a history off; what was acknowledged behind it is to be gone.
 */
export class History {
  #versions: readonly Version[] = [{ moment: 0, rows: [] }];
  #moment = 0;

  /** The commit of a row was acknowledged, or was asked for in vain: then it may have been made or not. */
  write(id: number, acknowledged: boolean): void {
    this.#change([...this.#rows, { id, acknowledged, certain: acknowledged }]);
  }

  /** Ends what is one moment's. @returns Its number. */
  moment(): number {
    const ended = this.#moment;
    this.#moment += 1;
    this.#versions = [...this.#versions, { moment: this.#moment, rows: this.#rows }];
    return ended;
  }

  /** What a backup has that began with `begin` and ends now: rows that were written meanwhile may be in it. */
  snapshot(begin: Snapshot): Snapshot {
    const before = new Set(rowsOf(begin.versions).map(({ id }) => id));
    return { versions: uncertain(this.#versions, ({ id }) => !before.has(id)) };
  }

  /** What is there now. */
  now(): Snapshot {
    return { versions: this.#versions };
  }

  /** Recovery to the end of a moment, along what this history has come. */
  backTo(moment: number): void {
    this.#goOn(this.#versions.filter((version) => version.moment <= moment));
  }

  /** The cluster is the one of a backup, also of a history that was left. */
  restore(snapshot: Snapshot): void {
    this.#goOn(snapshot.versions);
  }

  /** The table is the one of a dump; recovery to a moment before leads to what was there then. */
  replaceRows(snapshot: Snapshot): void {
    this.moment();
    this.#change(rowsOf(snapshot.versions));
  }

  /** The data directory is lost: the last commits may be, those that a test says. */
  lose(mayBeLost: (id: number) => boolean): void {
    this.#versions = uncertain(this.#versions, ({ id }) => mayBeLost(id));
  }

  /**
   * Compares, and takes for certain from now on what was found. The log is lost from its end alone: where a row is there, each one
   * that was acknowledged before it must be.
   */
  compare(found: readonly number[]): Difference {
    const there = new Set(found);
    const rows = this.#rows;
    const last = rows.findLastIndex(({ id }) => there.has(id));
    const lost = rows.filter(
      ({ id, certain, acknowledged }, index) => !there.has(id) && (certain || (acknowledged && index < last)),
    );
    const known = new Set(rows.map(({ id }) => id));
    this.#change(rows.filter(({ id }) => there.has(id)).map((row) => ({ ...row, certain: true })));
    return { lost: lost.map(({ id }) => id), wrong: found.filter((id) => !known.has(id)) };
  }

  get #rows(): readonly Row[] {
    return rowsOf(this.#versions);
  }

  #change(rows: readonly Row[]): void {
    this.#versions = [...this.#versions.slice(0, -1), { moment: this.#moment, rows }];
  }

  #goOn(versions: readonly Version[]): void {
    this.#moment += 1;
    this.#versions = [...versions, { moment: this.#moment, rows: rowsOf(versions) }];
  }
}

function rowsOf(versions: readonly Version[]): readonly Row[] {
  return versions.at(-1)?.rows ?? [];
}

function uncertain(versions: readonly Version[], which: (row: Row) => boolean): readonly Version[] {
  const last = versions.at(-1);
  if (last === undefined) return versions;
  const rows = last.rows.map((row) => (which(row) ? { ...row, certain: false } : row));
  return [...versions.slice(0, -1), { ...last, rows }];
}
