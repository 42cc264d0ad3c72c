import { spawn } from "node:child_process";
import { once } from "node:events";
import { extract } from "tar-stream";
import { describe, expect, test } from "vitest";
import { dockerEngine, findVolume } from "../../operations/docker.ts";
import { LABEL_HELPER, withHelper } from "../../operations/volume/helper.ts";
import { readVolumeFile, type VolumeFile, writeVolumeFiles } from "../../operations/volume-files.ts";
import { TEST_IMAGE } from "../support/image.ts";
import { temporaryVolume, uniqueName } from "../support/volumes.ts";

const docker = dockerEngine();
const labels = { "pgstack.stack": "volume-files" };
const write = (volume: string, files: VolumeFile[], directory = ""): Promise<void> =>
  writeVolumeFiles(docker, { volume, image: TEST_IMAGE, directory, files, labels });
const read = (volume: string, path: string) => readVolumeFile(docker, { volume, image: TEST_IMAGE, path });

describe("S2 S7 files in a volume", () => {
  test("S2 what was written is read back, in binary and empty too, and replaced by what comes next", async () => {
    const volume = await temporaryVolume();
    const binary = Buffer.from(Array.from({ length: 70_000 }, (_none, index) => index % 256));
    await write(volume, [{ path: "tls/server.key", content: binary, mode: 0o600 }]);
    await write(volume, [{ path: "deep/er/empty", content: "", mode: 0o644 }]);
    expect((await read(volume, "tls/server.key"))?.equals(binary)).toBe(true);
    expect(await read(volume, "deep/er/empty")).toEqual(Buffer.alloc(0));
    await write(volume, [{ path: "server.key", content: "second", mode: 0o600 }], "tls");
    expect((await read(volume, "tls/server.key"))?.toString()).toBe("second");
  });

  test("S7 files belong to the server's user of the image, with the modes that were asked for", async () => {
    const volume = await temporaryVolume();
    await write(volume, [
      { path: "tls/server.key", content: "secret", mode: 0o600 },
      { path: "postgresql.conf", content: "x", mode: 0o640 },
    ]);
    const [uid, gid] = await idsOfPostgres();
    const entries = await entriesOf(volume);
    expect(entries.get("tls/server.key")).toEqual({ uid, gid, mode: "600" });
    expect(entries.get("postgresql.conf")).toEqual({ uid, gid, mode: "640" });
    expect(entries.get("tls")).toEqual({ uid, gid, mode: "700" });
  });

  test("S2 what does not exist is undefined, and reading it makes no volume", async () => {
    const volume = await temporaryVolume();
    expect(await read(volume, "none")).toBeUndefined();
    const absent = uniqueName("absent");
    expect(await read(absent, "none")).toBeUndefined();
    await expect(write(absent, [{ path: "a", content: "", mode: 0o600 }])).rejects.toThrow("does not exist");
    expect(await findVolume(docker, absent)).toBeUndefined();
  });

  test.each(["../a", "a/../../b", "", ".", "a\0"])(
    "F15 the path %j does not lead out of the volume",
    async (path) => {
      const volume = await temporaryVolume();
      await expect(write(volume, [{ path, content: "", mode: 0o600 }])).rejects.toThrow(
        "below the volume's root",
      );
    },
  );
});

describe("F04 helper containers", () => {
  test("F04 a failing write leaves no helper and no volume of the image's", async () => {
    const volume = await temporaryVolume();
    const before = await volumeCount();
    await expect(
      withHelper(docker, { volume, image: TEST_IMAGE, writable: true }, () =>
        Promise.reject(new Error("on purpose")),
      ),
    ).rejects.toThrow("on purpose");
    expect(await helpersOf(volume)).toHaveLength(0);
    expect(await volumeCount()).toBe(before);
  });

  test("F04 a helper of a killed run is removed by the next one; a living one is not", async () => {
    const volume = await temporaryVolume();
    const module = new URL("../../operations/volume/helper.ts", import.meta.url).href;
    const script = `
      const { withHelper } = await import(${JSON.stringify(module)});
      const { dockerEngine } = await import(${JSON.stringify(new URL("../docker.ts", module).href)});
      await withHelper(dockerEngine(), ${JSON.stringify({ volume, image: TEST_IMAGE, writable: true })}, async () => {
        console.log("made");
        await new Promise((resolve) => setTimeout(resolve, 60_000));
      });`;
    const child = spawn(process.execPath, ["--input-type=module", "-e", script], {
      stdio: ["ignore", "pipe", "inherit"],
    });
    await once(child.stdout, "data");
    await read(volume, "any");
    expect(await helpersOf(volume)).toHaveLength(1);
    const [helper] = await helpersOf(volume);
    expect(helper?.Labels[LABEL_HELPER]).toBe("true");
    child.kill("SIGKILL");
    await once(child, "exit");
    await read(volume, "any");
    expect(await helpersOf(volume)).toHaveLength(0);
  });
});

async function helpersOf(volume: string) {
  return await docker.listContainers({ all: true, filters: { label: [`pgstack.helper.volume=${volume}`] } });
}

async function volumeCount(): Promise<number> {
  const { Volumes } = await docker.listVolumes({ filters: { label: ["com.docker.volume.anonymous"] } });
  return (Volumes ?? []).length;
}

async function idsOfPostgres(): Promise<[number, number]> {
  const volume = await temporaryVolume();
  const passwd = await withHelper(
    docker,
    { volume, image: TEST_IMAGE, writable: false },
    async (container) => {
      const [entry] = await archiveEntries(await container.getArchive({ path: "/etc/passwd" }));
      return entry?.content ?? "";
    },
  );
  const fields = /^postgres:.*$/m.exec(passwd)?.[0].split(":") ?? [];
  return [Number(fields[2]), Number(fields[3])];
}

async function entriesOf(volume: string): Promise<Map<string, { uid: number; gid: number; mode: string }>> {
  const entries = await withHelper(
    docker,
    { volume, image: TEST_IMAGE, writable: false },
    async (container) => archiveEntries(await container.getArchive({ path: "/pgstack-volume/." })),
  );
  return new Map(
    entries.map(({ name, uid, gid, mode }) => [
      name
        .replace(/^\.\//, "")
        .replace(/^pgstack-volume\//, "")
        .replace(/\/$/, ""),
      { uid, gid, mode: (mode & 0o777).toString(8) },
    ]),
  );
}

async function archiveEntries(stream: NodeJS.ReadableStream) {
  const reader = extract();
  stream.pipe(reader as unknown as NodeJS.WritableStream);
  const found: { name: string; uid: number; gid: number; mode: number; content: string }[] = [];
  for await (const entry of reader) {
    const pieces: Buffer[] = [];
    for await (const piece of entry) pieces.push(piece as Buffer);
    const { name, uid, gid, mode } = entry.header;
    found.push({ name, uid, gid, mode, content: Buffer.concat(pieces).toString() });
  }
  return found;
}
