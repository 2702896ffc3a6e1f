/** Knocks at a peer's port as anybody may, byte by byte of one's own making, and says what came back. */
import { randomBytes } from "node:crypto";
import { connect, type Socket } from "node:net";
import type { Identity } from "../../src/peer/identity";
import { ALPN_WIRE, dialTls } from "../../src/peer/net/tlsTransport";
import { fromHex } from "../../src/wire/bytes";
import { EXTENDED_HANDSHAKE_ID } from "../../src/wire/constants";
import { FrameDecoder } from "../../src/wire/decoder";
import { encodeExtendedHandshake } from "../../src/wire/extensions";
import { encodeHandshake } from "../../src/wire/handshake";
import { encodeMessage, type Message } from "../../src/wire/messages";
import { LOOPBACK } from "./sockets";

export interface Knock {
  /** Absent: over plain BitTorrent. */
  identity?: Identity;
  id: string;
  grant?: Uint8Array;
  /** Only the handshake; the extended handshake never comes. */
  half?: boolean;
}

export interface Answer {
  bytes: Buffer;
  /** From the last byte sent until the end; undefined while it is still open. */
  closedAfterMs: number | undefined;
}

/** The first flight of a downloader: handshake, extended handshake, interested, requests for everything that there is. */
export function firstFlight({ id, grant, half }: Pick<Knock, "id" | "grant" | "half">): Buffer {
  const handshake = encodeHandshake({
    infoHash20: fromHex(id).subarray(0, 20),
    peerId20: randomBytes(20),
    reserved: { extended: true, fast: true, v2: true },
  });
  if (half) return Buffer.from(handshake);
  const hello = encodeExtendedHandshake({
    m: { ut_metadata: 1 },
    st_request: 1024 * 1024,
    ...(grant ? { st_grant: grant } : {}),
  });
  const messages: Message[] = [
    { type: "extended", id: EXTENDED_HANDSHAKE_ID, payload: hello },
    { type: "haveNone" },
    { type: "interested" },
    { type: "request", piece: 0, begin: 0, length: 16_384 },
  ];
  return Buffer.concat([handshake, ...messages.map(encodeMessage)]);
}

/** Opens a connection, and says nothing yet. */
export async function open(port: number, identity: Identity | undefined): Promise<Socket> {
  if (identity) return (await dialTls({ host: LOOPBACK, port, identity, alpn: ALPN_WIRE })).socket;
  const socket = connect(port, LOOPBACK);
  await new Promise((resolve, reject) => socket.once("connect", resolve).once("error", reject));
  return socket;
}

export async function knock(port: number, how: Knock, patienceMs = 3_000): Promise<Answer> {
  const socket = await open(port, how.identity);
  const chunks: Buffer[] = [];
  socket.on("error", () => socket.destroy());
  socket.on("data", (chunk: Buffer) => chunks.push(chunk));
  const begun = performance.now();
  socket.write(firstFlight(how));
  const closedAfterMs = await new Promise<number | undefined>((resolve) => {
    const timer = setTimeout(() => resolve(undefined), patienceMs);
    socket.once("close", () => {
      clearTimeout(timer);
      resolve(performance.now() - begun);
    });
  });
  socket.destroy();
  return { bytes: Buffer.concat(chunks), closedAfterMs };
}

/** All messages behind the handshake in what came back. */
export function messagesIn(bytes: Buffer): Message[] {
  const messages: Message[] = [];
  const decoder = new FrameDecoder({
    onMessage: (message) => messages.push(message),
    onError: (error) => {
      throw error;
    },
  });
  decoder.push(bytes.subarray(68));
  return messages;
}
