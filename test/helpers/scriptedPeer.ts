/** A peer that speaks the wire protocol as a test's script says, and nothing else. */
import { randomBytes } from "node:crypto";
import type { Socket } from "node:net";
import type { TLSSocket } from "node:tls";
import { FrameDecoder } from "../../src/wire/decoder";
import { encodeExtendedHandshake } from "../../src/wire/extensions";
import { decodeHandshake, encodeHandshake } from "../../src/wire/handshake";
import { formatLink, type LinkParts } from "../../src/wire/links";
import { encodeMessage, type Message } from "../../src/wire/messages";
import { LOOPBACK, makeIdentity, startListener, stopListener } from "./sockets";

const MIB = 1024 * 1024;

/** What a scripted seeder does once the handshakes are exchanged; `send` writes a message. */
export type Script = (socket: TLSSocket, send: (message: Message) => void, requests: AsyncIterable<Message>) => void;

export interface ScriptedPeer {
  /** Leads to it. */
  link: string;
  port: number;
  sockets: TLSSocket[];
  stop(): Promise<void>;
}

/** Says that it has everything and gives it to everybody. */
export function seed(send: (message: Message) => void): void {
  send({
    type: "extended",
    id: 0,
    payload: encodeExtendedHandshake({ m: { ut_metadata: 1 }, st_request: MIB, metadata_size: 500 }),
  });
  send({ type: "haveAll" });
  send({ type: "unchoke" });
}

/** Listens as the owner of `video`. */
export async function startScripted(video: LinkParts, script: Script): Promise<ScriptedPeer> {
  const identity = await makeIdentity();
  const sockets: TLSSocket[] = [];
  const accepted = await startListener(identity, {
    onWire: (socket) => {
      sockets.push(socket);
      socket.on("error", () => undefined);
      void (async () => {
        const { infoHash20 } = decodeHandshake(await receiveExactly(socket, 68));
        const reserved = { extended: true, fast: true, v2: true };
        socket.write(encodeHandshake({ infoHash20, peerId20: randomBytes(20), reserved }));
        const send = (message: Message) => socket.destroyed || socket.write(encodeMessage(message));
        script(socket, send, messagesOf(socket));
      })().catch(() => undefined);
    },
  });
  const { port } = accepted;
  return {
    link: formatLink({ ...video, owner: identity.fingerprint, hosts: [`${LOOPBACK}:${port}`] }),
    port,
    sockets,
    stop: () => stopListener(accepted),
  };
}

/** The first `count` bytes; what follows stays unread. */
export function receiveExactly(socket: Socket, count: number): Promise<Buffer> {
  return new Promise((resolve, reject) => {
    const look = () => {
      const bytes = socket.read(count) as Buffer | null;
      if (!bytes) return;
      socket.off("readable", look);
      resolve(bytes);
    };
    socket.on("readable", look);
    socket.once("close", () => reject(new Error("closed too early")));
    look();
  });
}

/** Decoded messages of a socket, until it closes. */
export function messagesOf(socket: Socket): AsyncGenerator<Message> {
  const queue: Message[] = [];
  let wake: (() => void) | undefined;
  let ended = false;
  const decoder = new FrameDecoder({
    onMessage: (message) => {
      queue.push(message);
      wake?.();
    },
    onError: () => socket.destroy(),
  });
  socket.on("data", (chunk: Buffer) => decoder.push(Buffer.from(chunk)));
  socket.on("close", () => {
    ended = true;
    wake?.();
  });
  // Reading begins at once: a socket that nobody reads never notices that it was closed.
  return (async function* () {
    while (true) {
      const next = queue.shift();
      if (next) yield next;
      else if (ended) return;
      else {
        await new Promise<void>((resolve) => {
          wake = resolve;
        });
      }
    }
  })();
}
