import { readFile } from "node:fs/promises";
import { UserError } from "../../operations/user-error.ts";
import { savedStates } from "../../toolchain/state-backups.mjs";
import { UsageError } from "../exit-codes.ts";

/** A state as `pulumi stack export` writes it, as far as it is looked at. */
export interface SavedDeployment {
  readonly version: number;
  /** The command that saved it. Absent: Pulumi, or an earlier version of pgstack. */
  readonly savedBy?: string;
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
  /** Whether it knows the stack's server. */
  readonly server: boolean;
  /** The command that saved it; undefined: not known. */
  readonly savedBy: string | undefined;
}

/** The server's container below its component, in a resource's URN. */
const SERVER = /pgstack:index:Server\$docker:index\/container:Container::/;

/** The saved states of a stack, oldest first. */
export async function describeSaved(stack: string): Promise<DescribedState[]> {
  return await Promise.all(
    (await savedStates(stack)).map(async (saved) => {
      const deployment = await readSaved(saved.path).catch(() => undefined);
      return {
        ...saved,
        resources: deployment && countResources(deployment),
        server: deployment !== undefined && knowsServer(deployment),
        savedBy: deployment?.savedBy,
      };
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
  const { version, deployment, savedBy } = value ?? {};
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
  return { version, deployment, ...(typeof savedBy === "string" ? { savedBy } : {}) };
}

/** Whether a state knows the stack's server: one that lost it is of little use. */
export function knowsServer({ deployment }: Pick<SavedDeployment, "deployment">): boolean {
  return (deployment.resources ?? []).some(({ urn }) => SERVER.test(urn));
}

/** As many resources as a state has, in words. */
export function resourcesIn(count: number): string {
  return `${count} ${count === 1 ? "resource" : "resources"}`;
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
