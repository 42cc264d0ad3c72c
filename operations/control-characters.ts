/** C0 without the tab, DEL, C1, and what turns the direction of text or ends a line in Unicode. */
// biome-ignore lint/suspicious/noControlCharactersInRegex: they are what is looked for
const CONTROL = /[\u0000-\u0008\u000a-\u001f\u007f-\u009f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069]/g;

/** Text of a foreign hand with its control characters made visible, so that it can't steer the reader's terminal; on one line. */
export function escapeControlCharacters(text: string): string {
  return text.replaceAll(CONTROL, escaped);
}

/** The same of a text that may have several lines. */
export function escapeControlCharactersInLines(text: string): string {
  return text.replaceAll(CONTROL, (character) => (character === "\n" ? character : escaped(character)));
}

/** JSON in which they are escaped as JSON does; its own line ends stay. */
export function escapeControlCharactersInJson(json: string): string {
  return json.replaceAll(CONTROL, (character) =>
    character === "\n" ? character : `\\u${character.charCodeAt(0).toString(16).padStart(4, "0")}`,
  );
}

function escaped(character: string): string {
  const code = character.charCodeAt(0).toString(16);
  return code.length > 2 ? `\\u${code.padStart(4, "0")}` : `\\x${code.padStart(2, "0")}`;
}
