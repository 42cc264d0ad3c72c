import { readFile } from "node:fs/promises";
import { UserError } from "../../operations/user-error.ts";
import { savedStates } from "../../toolchain/state-backups.mjs";
import { UsageError } from "../exit-codes.ts";

/** A state as `pulumi stack export` writes it, as far as it is looked at. */
export interface SavedDeployment {
  readonly version: number;
  readonly deployment: { readonly resources?: readonly { readonly urn: string; readonly type: string }[] };
}

/** One saved state. */
export interface DescribedState {
  readonly id: string;
  readonly path: string;
  /** ISO 8601. */
  readonly savedAt: string;
  /** How many it has, the stack itself not counted; undefined when the file is damaged. */
  readonly resources: number | undefined;
}

/** The saved states of a stack, oldest first. */
export async function describeSaved(stack: string): Promise<DescribedState[]> {
  return await Promise.all(
    (await savedStates(stack)).map(async (saved) => {
      const deployment = await readSaved(saved.path).catch(() => undefined);
      return { ...saved, resources: deployment && countResources(deployment) };
    }),
  );
}

/** @throws UserError when the file is none, or of another stack. */
export async function readSaved(path: string, stack?: string): Promise<SavedDeployment> {
  let value: Partial<SavedDeployment> | null;
  try {
    value = JSON.parse(await readFile(path, "utf8")) as Partial<SavedDeployment> | null;
  } catch (error) {
    throw new UserError(
      `${path} can't be read as a saved state: ${error instanceof Error ? error.message : error}`,
    );
  }
  const { version, deployment } = value ?? {};
  if (typeof version !== "number" || typeof deployment !== "object" || deployment === null) {
    throw new UserError(
      `${path} is no saved state: pgstack state save and pulumi stack export write such files`,
    );
  }
  const urn = deployment.resources?.[0]?.urn;
  const of = urn?.split("::")[0]?.replace(/^urn:pulumi:/, "");
  if (stack !== undefined && of !== undefined && of !== stack) {
    throw new UserError(`${path} is the state of stack ${of}: --stack ${of} restores it`);
  }
  return { version, deployment };
}

export function countResources({ deployment }: SavedDeployment): number {
  return (deployment.resources ?? []).filter(({ type }) => type !== "pulumi:pulumi:Stack").length;
}

/** The saved state that is meant by an id or its beginning. @throws UsageError when none is, or several are. */
export async function findSaved(stack: string, id: string): Promise<DescribedState> {
  const found = (await describeSaved(stack)).filter((saved) => saved.id.startsWith(id));
  const [only] = found;
  if (only !== undefined && found.length === 1) return only;
  const many = found.length === 0 ? "no saved state begins so" : `${found.length} saved states begin so`;
  throw new UsageError(`${JSON.stringify(id)}: ${many}; pgstack --stack ${stack} state list names them`);
}
