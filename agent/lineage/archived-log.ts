import type { AgentConfiguration } from "../configuration.ts";
import type { Context } from "../context.ts";
import { archiveFolder, segmentAt, segmentName, segmentNumber } from "../physical/segments.ts";
import type { Chain, SegmentSource } from "./chain.ts";
import { type ArchiveRoot, archiveRoot, eachArchived, isListedDirectly, segmentsIn } from "./repository.ts";

/** What a folder of the archive holds: a 1 for each of its 256 segments that is there. */
type Content = Uint8Array;

const FOLDER_SEGMENTS = 256;
const WHOLE: Content = new Uint8Array(FOLDER_SEGMENTS).fill(1);
/** From as many folders on all are listed together, where a folder costs a process. */
const MANY = 16;
/** Folders that are read at the same time. */
const AT_ONCE = 8;

/** The part of the archive that a question is about. */
export interface LogRange {
  readonly chain: Chain;
  /** The first segment. */
  readonly from: string;
  /** Folder of the archive, such as `16-1`. Default: that of the newest cluster. */
  readonly id?: string | undefined;
  /** Folders of the archive `id` that were seen to be whole, and need not be looked at. Default: none. */
  readonly known?: { readonly id: string; readonly folders: ReadonlySet<string> };
}

/** What a repository has of the log of some timelines, held folder by folder. */
export class ArchivedLog implements SegmentSource {
  readonly root: ArchiveRoot;
  readonly #folders: ReadonlyMap<string, Content>;

  private constructor(root: ArchiveRoot, folders: ReadonlyMap<string, Content>) {
    this.root = root;
    this.#folders = folders;
  }

  static async open(
    configuration: AgentConfiguration,
    repository: string,
    range: LogRange,
    context: Pick<Context, "signal">,
  ): Promise<ArchivedLog> {
    const root = await archiveRoot(configuration, repository, context, range.id);
    const wanted = root.folders.filter((folder) => isIn(range, folder));
    const known = range.known?.id === root.id ? range.known?.folders : undefined;
    // The last one of a timeline is the one that grows.
    const grows = (index: number) => wanted[index + 1]?.slice(0, 8) !== wanted[index]?.slice(0, 8);
    const folders = new Map<string, Content>();
    const open = new Set(wanted.filter((folder, index) => grows(index) || known?.has(folder) !== true));
    for (const folder of wanted) folders.set(folder, open.has(folder) ? emptyFolder() : WHOLE);
    const note = (segment: string) => {
      const content = folders.get(archiveFolder(segment));
      if (content !== undefined && content !== WHOLE) content[placeOf(segmentNumber(segment))] = 1;
    };
    const direct = isListedDirectly(configuration, repository);
    // pgBackRest lists at most a thousand versions at once.
    const inPieces = direct || configuration.physical.asOf !== undefined;
    if (open.size > MANY && !inPieces) await eachArchived(configuration, repository, root, note, context);
    else {
      const left = open.values();
      const look = async () => {
        for (const folder of left) {
          const content = folders.get(folder);
          const segments = await segmentsIn(configuration, repository, root, folder, context);
          // By its last two digits alone: there may be millions.
          for (const segment of segments)
            if (content !== undefined && segment.startsWith(folder))
              content[Number.parseInt(segment.slice(16), 16)] = 1;
        }
      };
      await Promise.all(Array.from({ length: direct ? AT_ONCE : 1 }, look));
    }
    for (const folder of open) if (folders.get(folder)?.includes(0) === false) folders.set(folder, WHOLE);
    return new ArchivedLog(root, folders);
  }

  has(timeline: number, number: number): boolean {
    const folder = archiveFolder(segmentName(timeline, number));
    return this.#folders.get(folder)?.[placeOf(number)] === 1;
  }

  through(timeline: number, number: number): number | undefined {
    const content = this.#folders.get(archiveFolder(segmentName(timeline, number)));
    return content === WHOLE ? number - placeOf(number) + FOLDER_SEGMENTS - 1 : undefined;
  }

  last(timeline: number): number {
    const prefix = segmentName(timeline, 0).slice(0, 8);
    for (const [folder, content] of [...this.#folders].reverse()) {
      const last = content.lastIndexOf(1);
      if (folder.startsWith(prefix) && last !== -1) return segmentNumber(`${folder}00000000`) + last;
    }
    return -1;
  }

  /** The folders that are whole. */
  get whole(): string[] {
    return [...this.#folders].flatMap(([folder, content]) => (content === WHOLE ? [folder] : []));
  }
}

function emptyFolder(): Content {
  return new Uint8Array(FOLDER_SEGMENTS);
}

function placeOf(number: number): number {
  return number % FOLDER_SEGMENTS;
}

/** Whether a folder may hold a segment that lies on the way of a chain. */
function isIn({ chain, from }: LogRange, folder: string): boolean {
  const first = segmentNumber(`${folder}00000000`);
  const timeline = Number.parseInt(folder.slice(0, 8), 16);
  const index = chain.findIndex((stretch) => stretch.timeline === timeline);
  const stretch = chain[index];
  if (stretch === undefined) return false;
  const begin = Math.max(segmentNumber(from), segmentAt(chain[index - 1]?.until ?? "0/0"));
  const end = stretch.until === undefined ? Number.POSITIVE_INFINITY : segmentAt(stretch.until);
  return first + FOLDER_SEGMENTS > begin && first <= end;
}
