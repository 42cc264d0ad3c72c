import { UserError } from "../operations/user-error.ts";
import { PROJECT_DIRECTORY } from "../toolchain/directories.mjs";
import { runToEnd } from "./pulumi.ts";

/** What Pulumi would do to one resource: https://www.pulumi.com/docs/iac/cli/commands/pulumi_preview/ */
export interface PreviewStep {
  readonly op: string;
  readonly urn: string;
  readonly oldState?: ResourceState;
  readonly newState?: ResourceState;
  readonly diffReasons?: readonly string[];
  readonly replaceReasons?: readonly string[];
}

interface ResourceState {
  readonly type?: string;
  readonly inputs?: Readonly<Record<string, unknown>>;
  readonly outputs?: Readonly<Record<string, unknown>>;
}

/** What `pulumi preview --json` tells. */
export interface Preview {
  readonly steps: readonly PreviewStep[];
  readonly diagnostics: readonly {
    readonly urn?: string;
    readonly message: string;
    readonly severity: string;
  }[];
}

/** Has Pulumi preview a stack against the live world. @throws UserError with what it says when it fails. */
export async function previewStack(
  stack: string,
  {
    cwd = PROJECT_DIRECTORY,
    env = process.env,
    more = [],
    signal,
  }: {
    readonly cwd?: string;
    readonly env?: NodeJS.ProcessEnv;
    readonly more?: readonly string[];
    readonly signal?: AbortSignal;
  } = {},
): Promise<Preview> {
  const { code, stdout, stderr } = await runToEnd(
    ["preview", "--json", "--non-interactive", "--stack", stack, ...more],
    { cwd, env, ...(signal === undefined ? {} : { signal }) },
  );
  const preview = parsed(stdout);
  const errors = preview?.diagnostics.filter(({ severity }) => severity === "error") ?? [];
  if (code === 0 && preview !== undefined && errors.length === 0) return preview;
  const said =
    errors.map(({ message }) => harmlessText(message)).find((line) => line !== "") ?? stderr.trim();
  throw new UserError(`pulumi preview of stack ${stack} failed: ${said || `exit code ${code}`}`);
}

function parsed(output: string): Preview | undefined {
  try {
    const { steps = [], diagnostics = [] } = JSON.parse(output) as Partial<Preview>;
    return { steps, diagnostics };
  } catch {
    return undefined;
  }
}

/** Without the marks by which Pulumi colours its messages. */
export function harmlessText(message: string): string {
  return message.replaceAll(/<\{%[^%]*%\}>/g, "").trim();
}

/** The last part of a URN. */
export function nameOf(urn: string): string {
  return urn.split("::").at(-1) ?? urn;
}

/** The type in a URN, without those of its parents. */
export function typeOf(urn: string): string {
  return urn.split("::").at(-2)?.split("$").at(-1) ?? urn;
}

/** One resource that a run would change. */
export interface StepDescription {
  readonly resource: string;
  readonly type: string;
  /** What an `up` would do: `create`, `update`, `replace`, `delete`. */
  readonly operation: string;
  /** Properties that differ, where Pulumi tells them. */
  readonly properties: readonly string[];
}

/** Steps that change nothing in the world, and the parts of a replacement beside the one that tells it. */
const QUIET = new Set([
  ...["same", "read", "refresh", "read-replacement", "discard", "create-replacement", "delete-replaced"],
]);

/** The steps that change something in the world; Pulumi's own stack and providers are no part of it. */
export function changingSteps(steps: readonly PreviewStep[]): PreviewStep[] {
  return steps.filter(({ op, urn }) => !QUIET.has(op) && !typeOf(urn).startsWith("pulumi:"));
}

export function describeStep({
  op,
  urn,
  diffReasons = [],
  replaceReasons = [],
}: PreviewStep): StepDescription {
  return {
    resource: nameOf(urn),
    type: typeOf(urn),
    operation: op,
    properties: [...new Set([...replaceReasons, ...diffReasons])],
  };
}
