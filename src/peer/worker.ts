/** Entry of the worker thread that runs the peer, so that the extension host's main thread only draws. */
import { parentPort } from "node:worker_threads";
import { createMessageConnection, PortMessageReader, PortMessageWriter } from "vscode-jsonrpc/node";
import { onEvent, sendEvent, serve } from "../rpc/connection";
import { deltaOfSnapshot } from "../rpc/makeDelta";
import type { PeerService, PeerServiceEvents } from "../rpc/peerService";
import { PEER_SCHEMAS } from "../rpc/schemas";
import { type StateRequests, StateSender } from "../rpc/stateStream";
import { Session } from "./session";
import type { Snapshot } from "./status";

if (!parentPort) throw new Error("peerWorker runs as a worker thread only");

const connection = createMessageConnection(new PortMessageReader(parentPort), new PortMessageWriter(parentPort));
const session = new Session();
const snapshots = new StateSender(deltaOfSnapshot);

function tell(snapshot: Snapshot): void {
  const message = snapshots.next(snapshot);
  // A port that the other side has closed is closing this thread as well; there is nobody left to tell.
  if (message) sendEvent<PeerServiceEvents, "onDidChange">(connection, "onDidChange", message).catch(() => undefined);
}

serve<PeerService>(connection, PEER_SCHEMAS, session);
session.onDidChange(tell);
onEvent<StateRequests, "resync">(connection, "resync", () => {
  snapshots.restart();
  void session.snapshot().then(tell);
});
connection.listen();
