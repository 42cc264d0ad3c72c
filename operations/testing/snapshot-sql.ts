import { createReadStream } from "node:fs";

/** How pg_dump's text begins. */
const DUMP = /^--\n-- PostgreSQL database dump\n/;
/** Lines that are longer are passed on in pieces: none of ours is. */
const LONGEST_LINE = 4096;

/**
 * The bytes of a snapshot's file. In a dump, pg_dump has each grant that is not its owner's given by `SET SESSION
 * AUTHORIZATION`, which only a superuser may say; SET ROLE is the same for a grant.
 */
export async function* snapshotSql(file: string): AsyncGenerator<Buffer> {
  const lines = new DumpLines();
  let isDump: boolean | undefined;
  // Bytes as they are: nothing but ASCII is looked for.
  for await (const piece of createReadStream(file, { encoding: "latin1" }) as AsyncIterable<string>) {
    isDump ??= DUMP.test(piece);
    yield Buffer.from(isDump ? lines.take(piece) : piece, "latin1");
  }
  yield Buffer.from(lines.rest, "latin1");
}

class DumpLines {
  /** Of a line whose end has not come. */
  rest = "";
  /** The beginning of a long line, of which `rest` is the end. */
  #start: string | undefined;
  #inData = false;

  take(piece: string): string {
    const lines = (this.rest + piece).split("\n");
    this.rest = lines.pop() ?? "";
    const done = lines.map((line) => `${this.#line(line)}\n`).join("");
    if (this.rest.length <= LONGEST_LINE) return done;
    const passed = this.rest.slice(0, -LONGEST_LINE);
    this.#start ??= passed.slice(0, LONGEST_LINE);
    this.rest = this.rest.slice(-LONGEST_LINE);
    return done + passed;
  }

  #line(line: string): string {
    const start = this.#start ?? line;
    this.#start = undefined;
    if (this.#inData) {
      this.#inData = start !== "\\.";
      return line;
    }
    if (start.startsWith("COPY ") && line.endsWith(" FROM stdin;")) this.#inData = true;
    if (line === "RESET SESSION AUTHORIZATION;") return "RESET ROLE;";
    return line.replace(/^SET SESSION AUTHORIZATION (?=.+;$)/, "SET ROLE ");
  }
}
