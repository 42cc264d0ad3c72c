import { once } from "node:events";
import type { Duplex } from "node:stream";
import { connect as connectTls, type PeerCertificate } from "node:tls";
import { openServerStream } from "../connection.ts";
import type { Target } from "../target.ts";

/** Asks a PostgreSQL server for TLS: https://www.postgresql.org/docs/16/protocol-message-formats.html, SSLRequest. */
const SSL_REQUEST = Buffer.from([0, 0, 0, 8, 0x04, 0xd2, 0x16, 0x2f]);
const TIMEOUT_MILLISECONDS = 10_000;

/**
 * The certificate that the server serves at this moment, whoever signed it; undefined when it does not do TLS.
 * Ends before anybody signs in.
 */
export async function servedCertificate(target: Target): Promise<PeerCertificate | undefined> {
  const stream = await openServerStream(target);
  const timer = setTimeout(
    () => stream.destroy(new Error("the server does not answer to a request for TLS")),
    TIMEOUT_MILLISECONDS,
  );
  try {
    return await handshake(stream);
  } finally {
    clearTimeout(timer);
    stream.destroy();
  }
}

async function handshake(socket: Duplex): Promise<PeerCertificate | undefined> {
  socket.write(SSL_REQUEST);
  const [answer] = (await once(socket, "data")) as [Buffer];
  if (answer.toString("latin1") !== "S") return undefined;
  // Which certificate it is matters here, not whether this machine trusts it.
  const secure = connectTls({ socket, rejectUnauthorized: false, checkServerIdentity: () => undefined });
  try {
    await once(secure, "secureConnect");
    return secure.getPeerCertificate();
  } finally {
    secure.destroy();
  }
}
