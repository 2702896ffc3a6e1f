import { type AddressInfo, connect, createServer, type Server, type Socket } from "node:net";
import { LOOPBACK } from "./sockets";

/** Somebody on the network in between: passes every byte on, and keeps a copy of what it has seen. */
export class RecordingRelay {
  private readonly chunks: Buffer[] = [];
  private readonly sockets = new Set<Socket>();

  private constructor(private readonly server: Server) {}

  static async start(to: number, port = 0): Promise<RecordingRelay> {
    const server = createServer();
    const relay = new RecordingRelay(server);
    server.on("connection", (incoming) => relay.join(incoming, connect(to, LOOPBACK)));
    await new Promise<void>((resolve) => server.listen(port, LOOPBACK, resolve));
    return relay;
  }

  get port(): number {
    return (this.server.address() as AddressInfo).port;
  }

  /** Connections that are open, both ends of each. */
  get open(): number {
    return this.sockets.size;
  }

  /** Both directions, in order of arrival. */
  bytes(): Buffer {
    return Buffer.concat(this.chunks);
  }

  async stop(): Promise<void> {
    for (const socket of this.sockets) socket.destroy();
    await new Promise((resolve) => this.server.close(resolve));
  }

  private join(one: Socket, other: Socket): void {
    for (const [from, to] of [
      [one, other],
      [other, one],
    ] as const) {
      this.sockets.add(from);
      from.on("data", (chunk: Buffer) => {
        this.chunks.push(chunk);
        to.write(chunk);
      });
      from.on("error", () => to.destroy());
      from.on("close", () => {
        this.sockets.delete(from);
        to.destroy();
      });
    }
  }
}
