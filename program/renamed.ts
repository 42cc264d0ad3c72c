import { UserError } from "../operations/user-error.ts";

interface Outputs {
  readonly connection?: { readonly target?: { readonly stack?: string } };
}

/**
 * Refuses a stack that `pulumi stack rename` gave another name. Docker cannot rename volumes nor change their labels, and every
 * default name is made from the stack's: an `up` would make an empty server under new names and take the old one away.
 */
export function refuseRenamed(stack: string, { connection }: Outputs): void {
  const before = connection?.target?.stack;
  if (before === undefined || before === stack) return;
  throw new UserError(
    `nothing was changed: stack ${stack} was brought up as ${before} and renamed, and its containers, volumes and backups keep the name ${before}. pulumi stack rename ${before} --stack ${stack} gives it back; for another name make a new stack with the same data: ./pgstack --stack ${before} restore --latest --into NAME`,
  );
}
