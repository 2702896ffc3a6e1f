import assert from "node:assert/strict";
import { join } from "node:path";
import { performance } from "node:perf_hooks";
import { setTimeout as sleep } from "node:timers/promises";
import { Worker } from "node:worker_threads";
import { fromHex } from "../../src/wire/bytes";
import { encodeHandshake } from "../../src/wire/handshake";
import { encodeMessage, type Message } from "../../src/wire/messages";
import { randomFile, sha256OfFile } from "../helpers/randomFile";
import {
  NO_LIMITS,
  portOf,
  runtimeOf,
  shareFile,
  startPeer,
  stopSessions,
  type TestPeer,
  videoWhere,
} from "../helpers/sessions";
import { tempDir } from "../helpers/tempDir";
import { until } from "../vscode/support/until";

const MIB = 1024 * 1024;
const SIZE = 16 * MIB;
const PIECES = 64;
const FLOOD_MS = 2_000;

/** A thread of its own, so that what it costs is not taken for ours: writes the same bytes as fast as they are taken. */
const FLOODER = `
  const { workerData: { port, handshake, flood, reads }, parentPort } = require("node:worker_threads");
  const socket = require("node:net").connect(port, "127.0.0.1");
  socket.on("error", () => {});
  socket.on("close", () => parentPort.postMessage("closed"));
  if (reads) socket.resume();
  const go = () => { while (socket.write(flood)); socket.once("drain", go); };
  socket.write(handshake, go);
`;

const pieces = Array.from({ length: PIECES }, (_, piece) => piece);
const floods: Record<string, { messages: Message[]; reads?: false }> = {
  "tells of the same pieces over and over": { messages: pieces.map((piece) => ({ type: "have", piece })) },
  "has everything, and nothing, and everything": { messages: [{ type: "haveAll" }, { type: "haveNone" }] },
  "chokes and unchokes": { messages: [{ type: "haveAll" }, { type: "unchoke" }, { type: "choke" }] },
  "is interested, and is not": { messages: [{ type: "interested" }, { type: "notInterested" }] },
  "keeps alive": { messages: [{ type: "keepAlive" }] },
  "asks for what there is not, and reads no answer": {
    messages: [{ type: "request", piece: PIECES, begin: 0, length: 16_384 }],
    reads: false,
  },
};

describe("a flood of messages", function () {
  this.timeout(30_000);
  let file: string;
  let bob: TestPeer;
  let alice: TestPeer;
  let key: string;
  let infoHash20: Uint8Array;

  before(async () => {
    file = await randomFile(join(tempDir("floods"), "clip.mp4"), SIZE, 41);
    alice = await startPeer("alice", { uploadLimit: 200_000 });
    const { magnet, id } = await shareFile(alice, file, "public");
    infoHash20 = fromHex(id).subarray(0, 20);
    bob = await startPeer("bob");
    ({ key } = await bob.session.download({ source: `${magnet}&x.pe=127.0.0.1:${await portOf(alice)}` }));
    await videoWhere(bob, "some is there", (v) => v.bytesDone > 0);
  });
  after(stopSessions);

  const swarm = () => runtimeOf(bob, key).swarm!;

  for (const [what, { messages, reads = true }] of Object.entries(floods)) {
    it(`of one who ${what} costs neither the processor nor memory, and keeps nobody from the video`, async () => {
      const reserved = { extended: true, fast: true, v2: true };
      const handshake = encodeHandshake({ infoHash20, peerId20: Buffer.alloc(20, what), reserved });
      const round = Buffer.concat(messages.map(encodeMessage));
      const flood = Buffer.concat(new Array(Math.ceil(65_536 / round.length)).fill(round));
      const others = swarm().connectionCount;
      const worker = new Worker(FLOODER, {
        eval: true,
        workerData: { port: await portOf(bob), handshake, flood, reads },
      });
      try {
        await until(() => swarm().connectionCount > others, "it is connected");
        await sleep(500);
        const [came, memory, before] = [
          swarm().down.total,
          process.memoryUsage().rss,
          performance.eventLoopUtilization(),
        ];
        await sleep(FLOOD_MS);
        const { utilization } = performance.eventLoopUtilization(before);
        const grown = process.memoryUsage().rss - memory;
        assert.ok(utilization < 0.6, `busy ${Math.round(utilization * 100)} % of the time`);
        assert.ok(grown < 60 * MIB, `${Math.round(grown / MIB)} MiB more`);
        assert.ok(swarm().down.total > came, "data goes on coming");
      } finally {
        await worker.terminate();
      }
      // What it has sent before its end waits to be read.
      for (const connection of [...swarm().connections()]) if (connection.peer.incoming) connection.close();
    });
  }

  it("leaves the video as it is", async () => {
    await alice.session.setLimits(NO_LIMITS);
    const { path } = await bob.session.downloadResult(key);
    assert.equal(await sha256OfFile(path), await sha256OfFile(file));
  });
});
