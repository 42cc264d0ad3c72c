import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { formatBytes, formatDuration, harmless, table } from "../../cli/print.ts";

describe("print", () => {
  test("columns line up by what is seen, not by what is written", () => {
    const rows = [
      ["\x1b[32mok\x1b[39m", "short", "one"],
      ["failed", "long name", "two"],
    ];
    expect(table(rows)).toBe("\x1b[32mok\x1b[39m      short      one\nfailed  long name  two\n");
  });

  test("no control character of a foreign text is left, but tabs", () => {
    fc.assert(
      fc.property(fc.string({ unit: "binary" }), (text) => {
        // biome-ignore lint/suspicious/noControlCharactersInRegex: they are what must not be there
        expect(harmless(text)).not.toMatch(/[\u0000-\u0008\u000a-\u001f\u007f-\u009f]/);
      }),
    );
    expect(harmless("a\tb")).toBe("a\tb");
    expect(harmless("\x1b]0;title\x07")).toBe("\\x1b]0;title\\x07");
  });

  test.each([
    [0, "0 B"],
    [1023, "1023 B"],
    [1024, "1.0 KB"],
    [1536 * 1024, "1.5 MB"],
    [61.1 * 1024 ** 3, "61.1 GB"],
    [252 * 1024 ** 3, "252 GB"],
    [5 * 1024 ** 5, "5120 TB"],
  ])("%d bytes", (bytes, text) => expect(formatBytes(bytes)).toBe(text));

  test.each([
    [0, "0 s"],
    [59.9, "59 s"],
    [725, "12 min 5 s"],
    [15_120, "4 h 12 min"],
    [86_400 * 3 + 3_600 * 4 + 59, "3 d 4 h"],
  ])("%d seconds", (seconds, text) => expect(formatDuration(seconds)).toBe(text));
});
