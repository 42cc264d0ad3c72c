import { readFile } from "node:fs/promises";
import { fileURLToPath } from "node:url";

/** A page of docs/, whose commands a test runs as they are written. */
export class Manual {
  readonly #name: string;
  readonly #text: string;

  private constructor(name: string, text: string) {
    this.#name = name;
    this.#text = text;
  }

  static async read(name: string): Promise<Manual> {
    const file = fileURLToPath(new URL(`../../docs/${name}`, import.meta.url));
    return new Manual(name, await readFile(file, "utf8"));
  }

  /** The text below a heading. */
  section(heading: string): string {
    const found = this.#text.split(/^## /m).find((part) => part.startsWith(`${heading}\n`));
    if (found === undefined) throw new Error(`docs/${this.#name} has no section ${heading}`);
    return found;
  }

  /** The commands of a section's code blocks, without their comments. */
  commands(heading: string): string[] {
    return [...this.section(heading).matchAll(/^```\n(.*?)^```$/gms)]
      .flatMap(([, block = ""]) => block.split("\n"))
      .map((line) => line.replace(/\s+#.*$/, "").trim())
      .filter((line) => line !== "");
  }
}
