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
  try {
    await elsewhere(stack, "", async (pulumi) => {
      await pulumi("stack", "import", "--file", path);
      await pulumi("stack", "output", "--json", "--show-secrets");
    });
  } catch (error) {
    if (!(error instanceof WrongPassphrase)) throw error;
    throw new UserError(
      `${path} is encrypted with another passphrase than this checkout has, and nothing was changed: bring that one here (.pgstack/passphrase or PULUMI_CONFIG_PASSPHRASE), with the settings of then`,
    );
  }
}

/** The outputs in the newest saved state that knows the server, secrets in plain text; undefined: there is none. */
export async function savedOutputs(stack: string): Promise<unknown> {
  const newest = (await describeSaved(stack)).findLast(({ server }) => server);
  if (newest === undefined) return undefined;
  return await elsewhere(stack, "", async (pulumi) => {
    await pulumi("stack", "import", "--file", newest.path);
    return JSON.parse(await pulumi("stack", "output", "--json", "--show-secrets")) as unknown;
  });
}

/** Whether the passphrase that is here opens a stack's settings. */
export async function opensSettings(stack: string, settings: string): Promise<boolean> {
  try {
    await elsewhere(stack, settings, async () => {});
    return true;
  } catch (error) {
    if (error instanceof WrongPassphrase) return false;
    throw error;
  }
}

/** Works with a stack of the same name and its own settings in a state that is thrown away afterwards. */
async function elsewhere<Value>(
  stack: string,
  settings: string,
  work: (pulumi: (...words: string[]) => Promise<string>) => Promise<Value>,
): Promise<Value> {
  const folder = await mkdtemp(join(STATE_DIRECTORY, "proof-"));
  try {
    await cp(join(PROJECT_DIRECTORY, "Pulumi.yaml"), join(folder, "Pulumi.yaml"));
    await writeFile(join(folder, `Pulumi.${stack}.yaml`), settings);
    const env = { ...process.env, PULUMI_BACKEND_URL: pathToFileURL(folder).href };
    const pulumi = (...words: string[]) => runPulumi(stack, words, { cwd: folder, env });
    await pulumi("stack", "init");
    return await work(pulumi);
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

/** The newest saved state that knows the server; undefined when it cannot be read, or there is none. */
export async function provableSaved(stack: string): Promise<DescribedState | undefined> {
  const newest = (await describeSaved(stack)).findLast(({ server }) => server);
  if (newest === undefined) return undefined;
  return await proveReadable(stack, newest.path).then(
    () => newest,
    () => undefined,
  );
}
