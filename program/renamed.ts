import * as pulumi from "@pulumi/pulumi";
import { UserError } from "../operations/user-error.ts";

/** What the engine itself answers about stacks. */
const READ_OUTPUTS = "pulumi:pulumi:readStackOutputs";

/**
 * Refuses a stack that `pulumi stack rename` gave another name. Docker cannot rename volumes nor change their labels, and every
 * default name is made from the stack's: an `up` would make an empty server under new names and take the old one away.
 */
export async function refuseRenamed(stack: string): Promise<void> {
  const before = await deployedAs(stack);
  if (before === undefined || before === stack) return;
  throw new UserError(
    `nothing was changed: stack ${stack} was brought up as ${before} and renamed, and its containers, volumes and backups keep the name ${before}. pulumi stack rename ${before} --stack ${stack} gives it back; for another name make a new stack with the same data: ./pgstack --stack ${before} restore --latest --into NAME`,
  );
}

/** The name that the stack's last successful `up` had; undefined: there was none. */
async function deployedAs(stack: string): Promise<string | undefined> {
  const name = [pulumi.getOrganization(), pulumi.getProject(), stack].join("/");
  const { outputs } = (await pulumi.runtime.invoke(READ_OUTPUTS, { name })) as {
    readonly outputs?: { readonly connection?: { readonly target?: { readonly stack?: unknown } } };
  };
  const found = outputs?.connection?.target?.stack;
  return typeof found === "string" ? found : undefined;
}
