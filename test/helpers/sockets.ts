import { type AddressInfo, connect, createServer, type Server, type Socket } from "node:net";
import type { TLSSocket } from "node:tls";
import { createIdentityKey, type Identity, loadIdentity } from "../../src/peer/identity";
import { Listener, type ListenerOptions, type RemoteAddress, type RemoteIdentity } from "../../src/peer/net/listener";

export const LOOPBACK = "127.0.0.1";

export async function makeIdentity(): Promise<Identity> {
  return loadIdentity((await createIdentityKey()).privateKey);
}

/** Open TCP connections of this process, both ends of each. */
export function openSockets(): number {
  return process.getActiveResourcesInfo().filter((name) => name === "TCPSocketWrap").length;
}

export function closed(socket: Socket): Promise<void> {
  if (socket.closed) return Promise.resolve();
  return new Promise((resolve) => socket.once("close", () => resolve()));
}

/** Reads until `bytes` have arrived. */
export function receive(socket: Socket, bytes: number): Promise<Buffer> {
  return new Promise((resolve, reject) => {
    const chunks: Buffer[] = [];
    let total = 0;
    socket.on("data", (chunk: Buffer) => {
      chunks.push(chunk);
      total += chunk.length;
      if (total >= bytes) resolve(Buffer.concat(chunks));
    });
    socket.once("close", () => reject(new Error(`closed after ${total} of ${bytes} bytes`)));
  });
}

/** A plain connection that swallows errors, for tests that play a stranger. */
export function stranger(port: number): Socket {
  const socket = connect(port, LOOPBACK);
  socket.on("error", () => socket.destroy());
  socket.setNoDelay(true);
  return socket;
}

export interface Accepted {
  listener: Listener;
  port: number;
  wire: { socket: TLSSocket; remote: RemoteIdentity }[];
  control: { socket: TLSSocket; remote: RemoteIdentity }[];
  plain: { socket: Socket; remote: RemoteAddress }[];
}

/** A listener on the loopback that collects what it hands over. */
export async function startListener(identity: Identity, options: Partial<ListenerOptions> = {}): Promise<Accepted> {
  const accepted: Omit<Accepted, "listener" | "port"> = { wire: [], control: [], plain: [] };
  const listener = new Listener({
    identity,
    host: LOOPBACK,
    onWire: (socket, remote) => accepted.wire.push({ socket, remote }),
    onControl: (socket, remote) => accepted.control.push({ socket, remote }),
    onPlain: (socket, remote) => accepted.plain.push({ socket, remote }),
    ...options,
  });
  return { listener, port: await listener.listen(), ...accepted };
}

/** Closes the listener and everything that it handed over. */
export async function stopListener({ listener, wire, control, plain }: Accepted): Promise<void> {
  await listener.close();
  for (const { socket } of [...wire, ...control, ...plain]) socket.destroy();
}

export interface Relay {
  port: number;
  server: Server;
  close(): void;
}

/**
 * Stands between two TCP ends. `toServer` and `toClient` get every chunk and the socket that it is meant for,
 * and forward what they like.
 */
export async function startRelay(
  target: number,
  toServer: (chunk: Buffer, server: Socket, client: Socket) => void,
  toClient: (chunk: Buffer, client: Socket, server: Socket) => void,
): Promise<Relay> {
  const sockets = new Set<Socket>();
  const server = createServer((client) => {
    const upstream = connect(target, LOOPBACK);
    for (const [socket, other] of [
      [client, upstream],
      [upstream, client],
    ] as const) {
      sockets.add(socket);
      socket.setNoDelay(true);
      socket.on("error", () => socket.destroy());
      socket.on("close", () => {
        sockets.delete(socket);
        other.destroy();
      });
    }
    client.on("data", (chunk) => toServer(chunk, upstream, client));
    upstream.on("data", (chunk) => toClient(chunk, client, upstream));
  });
  await new Promise<void>((resolve) => server.listen(0, LOOPBACK, resolve));
  return {
    port: (server.address() as AddressInfo).port,
    server,
    close: () => {
      server.close();
      for (const socket of sockets) socket.destroy();
    },
  };
}
