import { createHash } from "node:crypto";
import { mkdir, readFile } from "node:fs/promises";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { cacheDirectory } from "../../../toolchain/directories.mjs";
import { cached } from "../../../toolchain/image/cached.mjs";
import { run } from "../../../toolchain/run.mjs";

const MODULE = fileURLToPath(new URL("./versitygw/", import.meta.url));
const PACKAGE = "github.com/versity/versitygw/cmd/versitygw";

/**
 * Path of the S3 server that the tests use, built once from its Go module and checked against go.sum; it needs no library
 * of its machine.
 */
export async function s3ServerProgram(): Promise<string> {
  const hash = createHash("sha256").update(`${process.platform} ${process.arch}`);
  for (const name of ["go.mod", "go.sum"]) hash.update(await readFile(join(MODULE, name)));
  const place = join(cacheDirectory(), "s3-server", hash.digest("hex").slice(0, 16));
  const folder = await cached(place, async (unfinished, work) => {
    await mkdir(unfinished);
    await run(
      "go",
      ["build", "-trimpath", "-ldflags", "-s -w", "-o", join(unfinished, "versitygw"), PACKAGE],
      {
        cwd: MODULE,
        env: {
          ...process.env,
          CGO_ENABLED: "0",
          GOFLAGS: "-mod=readonly -modcacherw",
          GOMODCACHE: join(work, "modules"),
          GOCACHE: join(work, "build"),
        },
      },
    );
  });
  return join(folder, "versitygw");
}
