import { createHash } from "node:crypto";
import { createServer } from "node:http";
import { gzipSync } from "node:zlib";
import { onTestFinished } from "vitest";
import { dockerEngine } from "../../operations/docker.ts";
import { makeArchive } from "../../operations/volume/archive.ts";

/** A registry on the loopback address, which engines take without TLS; it serves one repository. */
export interface TestRegistry {
  /** Reference of the repository without a tag. */
  readonly repository: string;
  /** Has the tag name a new small image with this environment, and returns its digest. */
  publish(tag: string, environment: readonly string[]): Promise<string>;
  close(): Promise<void>;
  /** From now on requests are taken and never answered. */
  stall(): void;
}

const MANIFEST = "application/vnd.docker.distribution.manifest.v2+json";
const CONFIG = "application/vnd.docker.container.image.v1+json";
const LAYER = "application/vnd.docker.image.rootfs.diff.tar.gzip";

/** Starts the registry; it and the images that the engine fetched from it are gone when the test is over. */
export async function startRegistry(): Promise<TestRegistry> {
  const blobs = new Map<string, Buffer>();
  const tags = new Map<string, string>();
  let stalled = false;
  const server = createServer((request, response) => {
    if (stalled) return;
    const [, kind, name = ""] = /^\/v2\/test\/(manifests|blobs)\/(.+)$/.exec(request.url ?? "") ?? [];
    const digest = tags.get(name) ?? name;
    const content = blobs.get(digest);
    if (kind === undefined && request.url === "/v2/") return void response.end("{}");
    if (kind === undefined || content === undefined) return void response.writeHead(404).end("{}");
    response.writeHead(200, {
      "Content-Type": kind === "manifests" ? MANIFEST : "application/octet-stream",
      "Content-Length": content.length,
      "Docker-Content-Digest": digest,
    });
    response.end(request.method === "HEAD" ? undefined : content);
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const address = server.address();
  const repository = `127.0.0.1:${typeof address === "object" && address !== null ? address.port : 0}/test`;
  const add = (content: Buffer): string => {
    const digest = `sha256:${createHash("sha256").update(content).digest("hex")}`;
    blobs.set(digest, content);
    return digest;
  };
  let open = true;
  const close = async (): Promise<void> => {
    if (!open) return;
    open = false;
    server.closeAllConnections();
    await new Promise((resolve) => server.close(resolve));
  };
  onTestFinished(async () => {
    await close();
    await removeImages(repository);
  });
  return {
    repository,
    close,
    stall: () => {
      stalled = true;
    },
    publish: async (tag, environment) => {
      const tar = await makeArchive([{ header: { name: "etc", type: "directory", mode: 0o755 } }]);
      const layer = gzipSync(tar);
      const config = Buffer.from(
        JSON.stringify({
          architecture: process.arch === "arm64" ? "arm64" : "amd64",
          os: "linux",
          config: { Env: environment },
          rootfs: { type: "layers", diff_ids: [`sha256:${createHash("sha256").update(tar).digest("hex")}`] },
        }),
      );
      const manifest = {
        schemaVersion: 2,
        mediaType: MANIFEST,
        config: { mediaType: CONFIG, size: config.length, digest: add(config) },
        layers: [{ mediaType: LAYER, size: layer.length, digest: add(layer) }],
      };
      const digest = add(Buffer.from(JSON.stringify(manifest)));
      tags.set(tag, digest);
      return digest;
    },
  };
}

async function removeImages(repository: string): Promise<void> {
  const docker = dockerEngine();
  const images = await docker.listImages();
  for (const image of images) {
    const ours = [...(image.RepoTags ?? []), ...(image.RepoDigests ?? [])].some((name) =>
      name.startsWith(repository),
    );
    if (ours) await docker.getImage(image.Id).remove({ force: true });
  }
}
