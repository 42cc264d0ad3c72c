import { requireTestSetting } from "../operations/testing.ts";
import { UserError } from "../operations/user-error.ts";
import type { Stack, Testing } from "./stack.ts";

/** What a reset goes by. @throws UserError for a stack that is not for tests, and for one brought up before there were resets. */
export function requireTesting({ target, environment, testing }: Stack): Testing {
  const { stack } = target;
  requireTestSetting(stack, environment);
  if (testing !== undefined) return testing;
  throw new UserError(`stack ${stack} must be brought up again: npm start -- --stack ${stack}`);
}
