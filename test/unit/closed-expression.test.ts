import { describe, expect, test } from "vitest";
import { isClosedExpression } from "../../agent/logical/closed-expression.ts";

describe("an expression that a backup holds", () => {
  test.each([
    "(n > 0)",
    "((region)::text = 'north; (''x'')'::text)",
    `("odd ;) "" name" IS NOT NULL)`,
    "((a ->> 'k'::text) ~~ 'x%'::text)",
    "(n = ANY (ARRAY[1, 2]))",
  ])("%j stays within its parentheses", (text) => {
    expect(isClosedExpression(text)).toBe(true);
  });

  test.each([
    "true);\nCREATE ROLE intruder SUPERUSER;\n--",
    "true) ; SELECT (1",
    "true) \\! touch x",
    "true)",
    "(true",
    "'open",
    "x = 'a\\'",
    "$$a$$ = b",
    "true -- (",
    "true /* ",
    ":PROMPT1",
    "a = :'x'",
    "'a' 'b\n\\! x'",
  ])("%j does not", (text) => {
    expect(isClosedExpression(text)).toBe(false);
  });
});
