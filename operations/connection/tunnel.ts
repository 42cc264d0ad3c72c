import { Duplex } from "node:stream";
import type Docker from "dockerode";
import { demultiplexer } from "../execute/demultiplex.ts";
import { startExecution } from "../execute.ts";
import type { Target } from "../target.ts";

/**
 * Joins standard input and output with the server's port. Ends when either side does; what is left of the other is
 * ended with it, so that no process stays behind in the container.
 */
const SCRIPT = `{ exec 3<>"/dev/tcp/127.0.0.1/$1"; } 2>/dev/null || exit 7
exec 4<&0
cat <&4 >&3 & up=$!
cat <&3 & down=$!
wait -n
kill "$up" "$down" 2>/dev/null
wait
exit 0`;
const REFUSED = 7;

/**
 * A stream to the server's port through the engine's own connection, for engines whose containers this machine does
 * not reach. It has what `pg` asks of a socket. Needs `bash` in the image, which the official ones have.
 */
export class Tunnel extends Duplex {
  readonly #target: Target;
  #inner: Duplex | undefined;
  #resume: (() => void) | undefined;

  constructor(target: Target) {
    super({ allowHalfOpen: false });
    this.#target = target;
  }

  /** Starts it; `connect` is emitted when bytes may be written. Address and port are the container's own. */
  connect(): this {
    void this.#open().then(
      () => this.emit("connect"),
      (error: unknown) => this.destroy(error instanceof Error ? error : new Error(String(error))),
    );
    return this;
  }

  setNoDelay(): this {
    return this;
  }

  setKeepAlive(): this {
    return this;
  }

  setTimeout(): this {
    return this;
  }

  ref(): this {
    return this;
  }

  unref(): this {
    return this;
  }

  override _read(): void {
    this.#resume?.();
  }

  override _write(chunk: Buffer, encoding: BufferEncoding, done: (error?: Error | null) => void): void {
    if (this.#inner === undefined) done(new Error("the tunnel is not open"));
    else this.#inner.write(chunk, encoding, done);
  }

  override _final(done: (error?: Error | null) => void): void {
    this.#inner?.end();
    done();
  }

  override _destroy(error: Error | null, done: (error?: Error | null) => void): void {
    this.#inner?.destroy();
    // TLS on top has to tell its own error before this end of the stream is heard of.
    setImmediate(() => done(error));
  }

  async #open(): Promise<void> {
    const { exec, stream } = await startExecution(this.#target, {
      command: ["bash", "-c", SCRIPT, "tunnel", String(this.#target.port)],
    });
    if (this.destroyed) {
      stream.destroy();
      return;
    }
    this.#inner = stream;
    let received = false;
    const feed = demultiplexer(
      (piece) => {
        received = true;
        if (!this.push(piece)) stream.pause();
      },
      () => {},
    );
    this.#resume = () => stream.resume();
    stream.on("data", feed);
    stream.on("error", (error) => this.destroy(error));
    stream.on("end", () => void this.#end(exec, received));
    stream.on("close", () => {
      if (!stream.readableEnded) this.destroy();
    });
  }

  async #end(exec: Docker.Exec, received: boolean): Promise<void> {
    const code = received
      ? 0
      : await exec.inspect().then(
          (info) => info.ExitCode,
          () => 0,
        );
    if (code === REFUSED)
      this.destroy(Object.assign(new Error("connection refused"), { code: "ECONNREFUSED" }));
    else this.push(null);
  }
}
