import { once } from "node:events";
import { type ConnectionOptions, connect, type TLSSocket } from "node:tls";
import { openServerStream } from "../../../operations/connection.ts";
import type { Target } from "../../../operations/target.ts";

/** SSLRequest: https://www.postgresql.org/docs/16/protocol-message-formats.html */
const SSL_REQUEST = Buffer.from([0, 0, 0, 8, 0x04, 0xd2, 0x16, 0x2f]);

/**
 * Does a TLS handshake with the server and ends it.
 *
 * @returns protocol, cipher and certificate, or OpenSSL's code of what the server answered instead.
 */
export async function handshake(
  target: Target,
  options: ConnectionOptions,
): Promise<{ protocol: string | null; cipher: string; fingerprint: string } | string> {
  const stream = await openServerStream(target);
  let secure: TLSSocket | undefined;
  try {
    stream.write(SSL_REQUEST);
    const [answer] = (await once(stream, "data")) as [Buffer];
    if (answer.toString("latin1") !== "S") return "no TLS";
    secure = connect({
      socket: stream,
      rejectUnauthorized: false,
      checkServerIdentity: () => undefined,
      ...options,
    });
    await once(secure, "secureConnect");
    return {
      protocol: secure.getProtocol(),
      cipher: secure.getCipher().standardName,
      fingerprint: secure.getPeerCertificate().fingerprint256,
    };
  } catch (error) {
    return error instanceof Error && "code" in error ? String(error.code) : String(error);
  } finally {
    secure?.destroy();
    stream.destroy();
  }
}
