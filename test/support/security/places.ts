import { lstat, readdir, readFile } from "node:fs/promises";
import { join, relative } from "node:path";
import type Docker from "dockerode";
import { dockerEngine } from "../../../operations/docker.ts";
import { LABEL_STACK } from "../../../operations/target.ts";

/** Something that was looked into, and what was there. */
export type Place = readonly [name: string, content: string | Buffer];

/** All regular files below a folder; links are not followed. */
export async function filesBelow(folder: string, skip: readonly string[] = []): Promise<Place[]> {
  const places: Place[] = [];
  for (const entry of await readdir(folder, { recursive: true, withFileTypes: true })) {
    const path = join(entry.parentPath, entry.name);
    const name = relative(folder, path);
    if (!entry.isFile() || skip.some((one) => name === one || name.startsWith(`${one}/`))) continue;
    // A file may go while the folder is read.
    places.push([name, await readFile(path).catch(() => "")]);
  }
  return places;
}

/** Names in a folder, to find out later what is new in it. */
export async function namesIn(folder: string): Promise<Set<string>> {
  return new Set(await readdir(folder));
}

/** Content of files and folders that are new in a folder. */
export async function newIn(
  folder: string,
  before: ReadonlySet<string>,
  skip: readonly string[],
): Promise<Place[]> {
  const places: Place[] = [];
  for (const name of await readdir(folder)) {
    if (before.has(name) || skip.includes(name)) continue;
    const path = join(folder, name);
    const status = await lstat(path).catch(() => undefined);
    if (status?.isFile()) places.push([path, await readFile(path).catch(() => "")]);
    if (status?.isDirectory()) {
      const below = await filesBelow(path).catch(() => []);
      places.push(...below.map(([file, content]): Place => [join(path, file), content]));
    }
  }
  return places;
}

/** What Docker shows of everything that a stack made: containers with their logs, volumes, networks, the image. */
export async function dockerPlaces(stack: string): Promise<Place[]> {
  const docker = dockerEngine();
  const filters = { label: [`${LABEL_STACK}=${stack}`] };
  const places: Place[] = [];
  const show = (name: string, shown: unknown): unknown => places.push([name, JSON.stringify(shown)]);
  for (const { Id, ImageID } of await docker.listContainers({ all: true, filters })) {
    const container = docker.getContainer(Id);
    show(`container ${Id}`, await container.inspect());
    show(`processes of container ${Id}`, await container.top({ ps_args: "-eo pid,args" }).catch(() => null));
    places.push([
      `log of container ${Id}`,
      await container.logs({ stdout: true, stderr: true, follow: false }),
    ]);
    show(`image ${ImageID}`, await docker.getImage(ImageID).inspect());
    show(`history of image ${ImageID}`, await docker.getImage(ImageID).history());
  }
  for (const { Name } of (await docker.listVolumes({ filters })).Volumes) {
    show(`volume ${Name}`, await docker.getVolume(Name).inspect());
  }
  for (const { Id } of await docker.listNetworks({ filters }))
    show(`network ${Id}`, await docker.getNetwork(Id).inspect());
  return places;
}

/**
 * Inspects every container that appears with a stack's label, and every program that is run in one, at the moment it
 * appears: the helpers live for parts of a second only.
 */
export class EngineWatch {
  readonly places: Place[] = [];
  #events: (NodeJS.ReadableStream & { destroy?: () => void }) | undefined;
  readonly #pending = new Set<Promise<void>>();

  static async start(stack: string): Promise<EngineWatch> {
    const watch = new EngineWatch();
    const docker = dockerEngine();
    watch.#events = await docker.getEvents({ filters: { label: [`${LABEL_STACK}=${stack}`] } });
    let rest = "";
    watch.#events.on("data", (chunk: Buffer) => {
      const lines = (rest + chunk.toString()).split("\n");
      rest = lines.pop() ?? "";
      for (const line of lines) watch.#handle(docker, line);
    });
    return watch;
  }

  async end(): Promise<Place[]> {
    this.#events?.destroy?.();
    await Promise.all(this.#pending);
    return this.places;
  }

  #handle(docker: Docker, line: string): void {
    this.places.push(["an event of the engine", line]);
    const { Action, Actor } = JSON.parse(line) as {
      Action: string;
      Actor: { ID: string; Attributes: Record<string, string> };
    };
    const id = Actor.Attributes.execID;
    if (Action === "create") this.#look(`container ${Actor.ID}`, docker.getContainer(Actor.ID).inspect());
    if (id !== undefined) this.#look(`program ${id} run in a container`, docker.getExec(id).inspect());
  }

  #look(name: string, inspection: Promise<unknown>): void {
    const work = inspection.then(
      (shown) => {
        this.places.push([name, JSON.stringify(shown)]);
      },
      // It is gone again.
      () => {},
    );
    this.#pending.add(work);
  }
}
