/** RPC over the local socket, from either end, once the greeting is over. */
import type { Socket } from "node:net";
import {
  createMessageConnection,
  type MessageConnection,
  SocketMessageReader,
  SocketMessageWriter,
} from "vscode-jsonrpc/node";
import { onEvent, proxy, sendEvent, serve } from "../../rpc/connection";
import { WINDOW_SCHEMAS } from "../../rpc/schemas";
import type { HostState, WindowEvents, WindowService } from "../../rpc/window";

/** A window that follows, as the owner sees it. */
export class Follower {
  private readonly connection: MessageConnection;
  /** The newest state that could not be sent yet: a slow window gets fewer states, not a longer queue. */
  private waiting: HostState | undefined;
  private sending = false;

  constructor(
    private readonly socket: Socket,
    service: WindowService,
    onClose: () => void,
  ) {
    this.connection = listenOn(socket);
    serve<WindowService>(this.connection, WINDOW_SCHEMAS, service);
    socket.once("close", () => {
      this.connection.dispose();
      onClose();
    });
    this.connection.listen();
    socket.resume();
  }

  send(state: HostState): void {
    this.waiting = state;
    if (!this.sending) void this.flush();
  }

  close(): void {
    this.socket.destroy();
  }

  private async flush(): Promise<void> {
    this.sending = true;
    try {
      while (this.waiting && !this.socket.destroyed) {
        const state = this.waiting;
        this.waiting = undefined;
        await sendEvent<WindowEvents, "onDidChange">(this.connection, "onDidChange", state);
      }
    } catch {
      this.socket.destroy();
    } finally {
      this.sending = false;
    }
  }
}

export interface OwnerLink {
  service: WindowService;
  /** Resolves when the owner is gone. */
  closed: Promise<void>;
  close(): void;
}

/** The owner as a following window sees it. */
export function followOwner(socket: Socket, onDidChange: (state: HostState) => void): OwnerLink {
  const connection = listenOn(socket);
  onEvent<WindowEvents, "onDidChange">(connection, "onDidChange", onDidChange);
  const closed = new Promise<void>((resolve) => {
    socket.once("close", () => {
      connection.dispose();
      resolve();
    });
  });
  connection.listen();
  socket.resume();
  return { service: proxy<WindowService>(connection), closed, close: () => socket.destroy() };
}

function listenOn(socket: Socket): MessageConnection {
  const connection = createMessageConnection(new SocketMessageReader(socket), new SocketMessageWriter(socket));
  // What does not parse comes from no window of ours.
  connection.onError(() => socket.destroy());
  return connection;
}
