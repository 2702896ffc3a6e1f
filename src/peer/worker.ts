/** Entry of the worker thread that runs the peer, so that the extension host's main thread only draws. */
import { parentPort } from "node:worker_threads";
import { createMessageConnection, PortMessageReader, PortMessageWriter } from "vscode-jsonrpc/node";
import { sendEvent, serve } from "../rpc/connection";
import type { PeerService, PeerServiceEvents } from "../rpc/peerService";
import { PEER_SCHEMAS } from "../rpc/schemas";
import { Session } from "./session";

if (!parentPort) throw new Error("peerWorker runs as a worker thread only");

const connection = createMessageConnection(new PortMessageReader(parentPort), new PortMessageWriter(parentPort));
const session = new Session();
serve<PeerService>(connection, PEER_SCHEMAS, session);
session.onDidChange((snapshot) => {
  // A port that the other side has closed is closing this thread as well; there is nobody left to tell.
  sendEvent<PeerServiceEvents, "onDidChange">(connection, "onDidChange", snapshot).catch(() => undefined);
});
connection.listen();
