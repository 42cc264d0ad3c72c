import { copyFile, open, rename, rm, stat } from "node:fs/promises";
import { resolve } from "node:path";
import { dropMarked } from "../../agent/database-mark.ts";
import type { DatabaseSpecification } from "../database.ts";
import { runAsSuperuser } from "../superuser.ts";
import type { Target } from "../target.ts";
import { type Description, describeDatabase, dump } from "./describe.ts";
import { buildingName, MARK } from "./names.ts";
import {
  hashOf,
  recordSnapshot,
  requireSnapshotName,
  type Snapshot,
  snapshotFile,
} from "./snapshot-files.ts";
import { fillDatabase, requireAsRecorded } from "./template.ts";

/** Where a snapshot goes, and how its making is followed. */
export interface CreateOptions {
  /** Folder of the project. */
  readonly project: string;
  readonly name: string;
  readonly onStep?: (text: string, fraction?: number) => void;
  readonly signal?: AbortSignal;
}

/** Makes a snapshot of the live database: its SQL, and what is recorded about it. The database is only read. */
export async function createSnapshot(target: Target, options: CreateOptions): Promise<Snapshot> {
  const { project, name, onStep, signal } = options;
  requireSnapshotName(name);
  const file = snapshotFile(project, name);
  onStep?.("looking at the database");
  const described = await describeDatabase(target, target.database);
  const draft = await open(`${file}.new`, "w");
  try {
    onStep?.("dumping");
    let written: Promise<unknown> = Promise.resolve();
    await dump(
      target,
      target.database,
      [],
      (piece) => {
        // Unlike write, it goes on until all is written.
        written = written.then(() => draft.writeFile(piece));
      },
      signal,
    );
    await written;
    await draft.sync();
    await rename(`${file}.new`, file);
  } finally {
    await draft.close();
    await rm(`${file}.new`, { force: true });
  }
  return await record(project, name, file, described);
}

/** Makes a snapshot of an SQL file: it is loaded into a database of its own, which is looked at and dropped again. */
export async function createSnapshotFrom(
  target: Target,
  source: string,
  specification: DatabaseSpecification,
  options: CreateOptions,
): Promise<Snapshot> {
  const { project, name, onStep, signal } = options;
  requireSnapshotName(name);
  const file = snapshotFile(project, name);
  const building = buildingName();
  onStep?.("loading");
  try {
    const snapshot = { name: source };
    const described = await fillDatabase(target, building, {
      ...{ file: source, snapshot, specification },
      ...(signal === undefined ? {} : { signal }),
    });
    if (resolve(source) !== resolve(file)) {
      await copyFile(source, `${file}.new`);
      await rename(`${file}.new`, file);
    }
    return await record(project, name, file, described);
  } finally {
    await runAsSuperuser(target, dropMarked(building, MARK));
  }
}

/** Loads a snapshot into a database of its own, compares it with what was recorded, and drops it again. */
export async function verifySnapshot(
  target: Target,
  snapshot: Snapshot,
  specification: DatabaseSpecification,
  { project, onStep, signal }: Omit<CreateOptions, "name">,
): Promise<void> {
  const building = buildingName();
  onStep?.("loading");
  try {
    const loaded = await fillDatabase(target, building, {
      ...{ file: snapshotFile(project, snapshot.name), snapshot, specification },
      ...(signal === undefined ? {} : { signal }),
    });
    onStep?.("comparing");
    requireAsRecorded(loaded, snapshot);
  } finally {
    await runAsSuperuser(target, dropMarked(building, MARK));
  }
}

async function record(
  project: string,
  name: string,
  file: string,
  described: Description,
): Promise<Snapshot> {
  const { size } = await stat(file);
  const snapshot: Snapshot = {
    ...{ name, sha256: await hashOf(file), bytes: size, createdAt: new Date().toISOString() },
    ...described,
  };
  await recordSnapshot(project, snapshot);
  return snapshot;
}
