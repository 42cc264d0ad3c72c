import { chmod, mkdir, readFile, writeFile } from "node:fs/promises";
import { delimiter, join } from "node:path";
import { onTestFinished, vi } from "vitest";
import { temporaryFolder } from "./temporary-folder.ts";

/** Programs that stand before those of the machine for as long as a test runs. */
export class FakePrograms {
  readonly folder: string;

  private constructor(folder: string) {
    this.folder = folder;
  }

  static async empty(): Promise<FakePrograms> {
    const folder = await temporaryFolder();
    vi.stubEnv("PATH", `${folder}${delimiter}${process.env["PATH"]}`);
    onTestFinished(() => void vi.unstubAllEnvs());
    return new FakePrograms(folder);
  }

  /**
   * @param script JavaScript with `words` (the arguments), `input` (standard input, where it is asked for), `folder` (a folder
   *   of the program's own) and `fs`.
   */
  async add(program: string, script: string): Promise<void> {
    const folder = join(this.folder, `${program}.files`);
    await mkdir(folder);
    const text = `#!${process.execPath}
const fs = require("node:fs");
const folder = ${JSON.stringify(folder)};
const words = process.argv.slice(2);
const input = () => fs.readFileSync(0, "utf8");
fs.appendFileSync(folder + "/calls", JSON.stringify(words) + "\\n");
${script}
`;
    await writeFile(join(this.folder, program), text);
    await chmod(join(this.folder, program), 0o755);
  }

  /** A file of a program's own folder. */
  path(program: string, name: string): string {
    return join(this.folder, `${program}.files`, name);
  }

  /** How a program was called, a list of its arguments each. */
  async calls(program: string): Promise<string[][]> {
    const text = await readFile(this.path(program, "calls"), "utf8").catch(() => "");
    return text
      .split("\n")
      .filter((line) => line !== "")
      .map((line) => JSON.parse(line) as string[]);
  }
}
