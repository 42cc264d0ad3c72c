import { expect, test } from "vitest";
import { REDACTED, redactText, redactValue } from "../../operations/redaction.ts";

test.each([
  ["the beginning of", ["secret", "secretive"]],
  ["the end of", ["tive", "secretive"]],
  ["in the middle of", ["cret", "secretive"]],
])(
  "a secret that is %s another one leaves nothing of that behind, in either order [S2]",
  (_where, secrets) => {
    for (const order of [secrets, secrets.toReversed()]) {
      expect(redactText("a secretive word", order)).toBe(`a ${REDACTED} word`);
      expect(redactValue({ text: ["a secretive word"] }, order)).toEqual({ text: [`a ${REDACTED} word`] });
    }
  },
);

test("a spelling of a secret that holds another secret leaves nothing behind [S2]", () => {
  // Percent-encoded, the first one begins with the second one.
  expect(redactText("user=a%20b%2Fc&x", ["a b/c", "a%20b"])).toBe(`user=${REDACTED}&x`);
  expect(redactText("it''s mine", ["it's mine", "it"])).toBe(REDACTED);
});
