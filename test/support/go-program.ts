import { createHash } from "node:crypto";
import { mkdir, readFile } from "node:fs/promises";
import { join } from "node:path";
import { cacheDirectory } from "../../toolchain/directories.mjs";
import { cached } from "../../toolchain/image/cached.mjs";
import { run } from "../../toolchain/run.mjs";

/**
 * Path of a program that tests use, built once from a Go module and checked against its go.sum; it needs no library of its
 * machine.
 *
 * @param module Folder with go.mod and go.sum.
 * @param packageName The program's package, named as a tool in go.mod.
 */
export async function goProgram(name: string, module: string, packageName: string): Promise<string> {
  const hash = createHash("sha256").update(`${process.platform} ${process.arch}`);
  for (const file of ["go.mod", "go.sum"]) hash.update(await readFile(join(module, file)));
  const place = join(cacheDirectory(), name, hash.digest("hex").slice(0, 16));
  const folder = await cached(place, async (unfinished, work) => {
    await mkdir(unfinished);
    await run("go", ["build", "-trimpath", "-ldflags", "-s -w", "-o", join(unfinished, name), packageName], {
      cwd: module,
      env: {
        ...process.env,
        CGO_ENABLED: "0",
        GOFLAGS: "-mod=readonly -modcacherw",
        GOMODCACHE: join(work, "modules"),
        GOCACHE: join(work, "build"),
      },
    });
  });
  return join(folder, name);
}
