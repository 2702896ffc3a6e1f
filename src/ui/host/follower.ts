/** RPC over the local socket, from either end, once the greeting is over. */
import type { Socket } from "node:net";
import {
  createMessageConnection,
  type MessageConnection,
  SocketMessageReader,
  SocketMessageWriter,
} from "vscode-jsonrpc/node";
import { applyToHostState } from "../../rpc/applyDelta";
import { onEvent, proxy, sendEvent, serve } from "../../rpc/connection";
import { deltaOfHostState } from "../../rpc/makeDelta";
import { WINDOW_SCHEMAS } from "../../rpc/schemas";
import { StateReceiver, type StateRequests, StateSender } from "../../rpc/stateStream";
import type { HostState, WindowEvents, WindowService } from "../../rpc/window";

/** A window that follows, as the owner sees it. */
export class Follower {
  private readonly connection: MessageConnection;
  /** The newest state that could not be sent yet: a slow window gets fewer states, not a longer queue. */
  private waiting: HostState | undefined;
  private sending = false;
  private readonly states = new StateSender(deltaOfHostState);

  constructor(
    private readonly socket: Socket,
    service: WindowService,
    private state: HostState,
    onClose: () => void,
  ) {
    this.connection = listenOn(socket);
    serve<WindowService>(this.connection, WINDOW_SCHEMAS, service);
    onEvent<StateRequests, "resync">(this.connection, "resync", () => {
      this.states.restart();
      this.send(this.state);
    });
    socket.once("close", () => {
      this.connection.dispose();
      onClose();
    });
    this.connection.listen();
    socket.resume();
    this.send(state);
  }

  send(state: HostState): void {
    this.state = state;
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
        const message = this.states.next(this.waiting);
        this.waiting = undefined;
        if (message) await sendEvent<WindowEvents, "onDidChange">(this.connection, "onDidChange", message);
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
  /** Resolves when the first state was there, or the owner is gone. */
  known: Promise<void>;
  /** Resolves when the owner is gone. */
  closed: Promise<void>;
  close(): void;
}

/** The owner as a following window sees it. */
export function followOwner(socket: Socket, onDidChange: (state: HostState) => void): OwnerLink {
  const connection = listenOn(socket);
  const states = new StateReceiver(applyToHostState, () => {
    void sendEvent<StateRequests, "resync">(connection, "resync", undefined).catch(() => socket.destroy());
  });
  const first = new Promise<void>((resolve) => {
    onEvent<WindowEvents, "onDidChange">(connection, "onDidChange", (message) => {
      const state = states.take(message);
      if (!state) return;
      onDidChange(state);
      resolve();
    });
  });
  const closed = new Promise<void>((resolve) => {
    socket.once("close", () => {
      connection.dispose();
      resolve();
    });
  });
  connection.listen();
  socket.resume();
  const known = Promise.race([first, closed]);
  return { service: proxy<WindowService>(connection), known, closed, close: () => socket.destroy() };
}

function listenOn(socket: Socket): MessageConnection {
  const connection = createMessageConnection(new SocketMessageReader(socket), new SocketMessageWriter(socket));
  // What does not parse comes from no window of ours.
  connection.onError(() => socket.destroy());
  return connection;
}
