import { cp, mkdtemp, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { UserError } from "../../operations/user-error.ts";
import { PROJECT_DIRECTORY, STATE_DIRECTORY } from "../../toolchain/directories.mjs";
import { WrongPassphrase } from "../exit-codes.ts";
import { runPulumi } from "../pulumi.ts";
import { type DescribedState, describeSaved } from "./saved.ts";

/** Has Pulumi read a saved state in a place of its own, with its secrets: what fails there has harmed nothing. */
export async function proveReadable(stack: string, path: string): Promise<void> {
  const folder = await mkdtemp(join(STATE_DIRECTORY, "proof-"));
  try {
    await cp(join(PROJECT_DIRECTORY, "Pulumi.yaml"), join(folder, "Pulumi.yaml"));
    const env = { ...process.env, PULUMI_BACKEND_URL: pathToFileURL(folder).href };
    const inFolder = (...words: string[]) => runPulumi(stack, words, { cwd: folder, env });
    await writeFile(join(folder, `Pulumi.${stack}.yaml`), "");
    await inFolder("stack", "init");
    await inFolder("stack", "import", "--file", path);
    await inFolder("stack", "output", "--json", "--show-secrets");
  } catch (error) {
    if (!(error instanceof WrongPassphrase)) throw error;
    throw new UserError(
      `${path} is encrypted with another passphrase than this checkout has, and nothing was changed: bring that one here (.pgstack/passphrase or PULUMI_CONFIG_PASSPHRASE), with the settings of then`,
    );
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

/** The newest saved state with something in it; undefined when it cannot be read, or there is none. */
export async function provableSaved(stack: string): Promise<DescribedState | undefined> {
  const newest = (await describeSaved(stack)).findLast(({ resources = 0 }) => resources > 0);
  if (newest === undefined) return undefined;
  return await proveReadable(stack, newest.path).then(
    () => newest,
    () => undefined,
  );
}
