import assert from "node:assert/strict";
import { PassThrough } from "node:stream";
import { setImmediate } from "node:timers/promises";
import type { Engine } from "../../src/peer/engine";
import { RateLimiter } from "../../src/peer/net/rateLimiter";
import { Admission } from "../../src/peer/social/admission";
import type { Audience } from "../../src/peer/status";
import type { LibraryEntry } from "../../src/peer/storage/library";
import type { KnownPeer } from "../../src/peer/swarm/peerList";
import { Swarm } from "../../src/peer/swarm/swarm";
import { SwarmGroup } from "../../src/peer/swarm/swarmGroup";
import type { Fingerprint, VideoId } from "../../src/wire/types";
import { FakeClock } from "../helpers/fakeClock";

const ID = "ab".repeat(32) as VideoId;
const OWNER = "aa".repeat(32) as Fingerprint;
const STRANGER = "bb".repeat(32) as Fingerprint;
const plain: KnownPeer = { fingerprint: undefined, host: "192.0.2.1", port: 1, transport: "plain" };
const stranger: KnownPeer = { fingerprint: STRANGER, host: "192.0.2.2", port: 2, transport: "tls" };

/** A video that somebody else owns and that is being fetched. */
class Video {
  audience: Audience = "public";
  readonly admission = new Admission(
    {
      people: { isBlocked: () => false, isFriend: () => false },
      identity: { fingerprint: "cc".repeat(32) },
      wallClock: () => 0,
    } as unknown as Engine,
    () => ({ id: ID, ownerFingerprint: OWNER, audience: this.audience }) as LibraryEntry,
    () => true,
  );
}

/** Dials are answered by `socket` when `connect` is called. */
function swarmOf(video: Video) {
  const clock = new FakeClock();
  const socket = new PassThrough();
  let written = 0;
  socket.write = (() => {
    written++;
    return true;
  }) as typeof socket.write;
  let connect = () => {};
  const dialled = new Promise<PassThrough>((resolve) => {
    connect = () => resolve(socket);
  });
  const swarm = new Swarm({
    id: ID,
    v1: undefined,
    infoBytes: undefined,
    clock,
    peerId20: Buffer.alloc(20),
    uploadLimiter: new RateLimiter(0, { clock }),
    maxConnections: 10,
    group: new SwarmGroup(clock, Math.random),
    admission: video.admission,
    dialledWins: () => true,
    listenPort: () => 0,
    dial: () => dialled,
    onInfo: () => {},
    onChange: () => {},
    onSourceError: () => {},
    onUnreachable: () => {},
    onTurnedAway: () => {},
  });
  swarm.wantPeers();
  return { swarm, socket, connect, written: () => written };
}

describe("Whom a video is fetched from", () => {
  it("follows its audience: plain BitTorrent for public ones, its owner and friends where it is for friends", () => {
    const video = new Video();
    const may = () => [plain, stranger, { ...stranger, fingerprint: OWNER }].map((p) => video.admission.mayDial(p));
    assert.deepEqual(may(), [true, true, true]);
    video.audience = "everyone";
    assert.deepEqual(may(), [false, true, true]);
    video.audience = "friends";
    assert.deepEqual(may(), [false, false, true]);
  });

  for (const [audience, peer] of [
    ["everyone", plain],
    ["friends", plain],
    ["friends", stranger],
  ] as const) {
    it(`hears nothing over ${peer.transport} where it became one for ${audience} while they were dialled`, async () => {
      const video = new Video();
      const { swarm, socket, connect, written } = swarmOf(video);
      swarm.addPeers([peer]);
      video.audience = audience;
      swarm.review();
      connect();
      while (!socket.destroyed && written() === 0) await setImmediate();
      assert.deepEqual([written(), swarm.connectionCount], [0, 0]);
      swarm.close();
    });
  }
});
