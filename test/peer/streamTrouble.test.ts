import assert from "node:assert/strict";
import { readFile, writeFile } from "node:fs/promises";
import { get } from "node:http";
import { join } from "node:path";
import type { OpenVideo } from "../../src/peer/openVideo";
import type { VideoStorage } from "../../src/peer/videoStorage";
import { fetchConverted, readConverted } from "../helpers/converted";
import { hasFfmpeg, makeClip } from "../helpers/makeClip";
import { randomFile } from "../helpers/randomFile";
import {
  linkVia,
  NO_LIMITS,
  portOf,
  runtimeOf,
  shareFile,
  startPeer,
  startSharing,
  stopSessions,
  videoWhere,
} from "../helpers/sessions";
import { tempDir } from "../helpers/tempDir";

const MIB = 1024 * 1024;
const SIZE = 30 * MIB + 4321;
const PLAYERS = 10;

interface Part {
  /** Milliseconds from the request to the first byte. */
  firstByte: number;
  bytes: Buffer;
}

function fetchPart(url: string, begin: number, end: number): Promise<Part> {
  const begun = performance.now();
  return new Promise((resolve, reject) => {
    const outgoing = get(url, { agent: false, headers: { Range: `bytes=${begin}-${end}` } }, (response) => {
      const chunks: Buffer[] = [];
      let firstByte = 0;
      response.on("data", (chunk) => {
        firstByte ||= performance.now() - begun;
        chunks.push(chunk);
      });
      response.on("error", reject);
      response.on("end", () => resolve({ firstByte, bytes: Buffer.concat(chunks) }));
    });
    outgoing.on("error", reject);
  });
}

describe("Playing a video when something goes wrong", function () {
  this.timeout(60_000);
  let file: string;
  let content: Buffer;

  before(async () => {
    file = await randomFile(join(tempDir("trouble"), "talk.mp4"), SIZE, 23);
    content = await readFile(file);
  });
  afterEach(stopSessions);

  const slice = (begin: number, end: number) => content.subarray(begin, end + 1);
  const sharing = (name: string, rate = 0) => startSharing(name, file, rate);

  it("gives ten players at ten places of a video on its way the right bytes, and starves none", async () => {
    const alice = await sharing("Alice", 6_000_000);
    const bob = await startPeer("Bob");
    const { url, key } = await bob.session.openStream(linkVia(alice.link, alice.port));
    await fetchPart(url, 0, 0);
    const places = Array.from({ length: PLAYERS }, (_, i) => 2 * MIB + Math.floor((i * (SIZE - 4 * MIB)) / PLAYERS));
    const parts = await Promise.all(places.map((at) => fetchPart(url, at, at + MIB - 1)));
    for (const [i, { bytes }] of parts.entries())
      assert.ok(bytes.equals(slice(places[i]!, places[i]! + MIB - 1)), `${i}`);
    // One after another they would take 5 s at this rate; what each waits for first is one piece.
    const worst = Math.max(...parts.map(({ firstByte }) => firstByte));
    assert.ok(worst < 2_500, `the last of them waited ${Math.round(worst)} ms`);
    const { state } = (await bob.session.snapshot()).videos.find((v) => v.key === key)!;
    assert.equal(state, "downloading");
  });

  it("goes on when its only sharer is gone and somebody else comes", async () => {
    const alice = await sharing("Alice", 3_000_000);
    const bob = await startPeer("Bob");
    const { url } = await bob.session.openStream(linkVia(alice.link, alice.port));
    const whole = fetchPart(url, 0, SIZE - 1);
    const second = fetchPart(url, 20 * MIB, 21 * MIB);
    await videoWhere(bob, "some of it is here", (v) => v.bytesDone > MIB);
    await alice.session.stop();
    await videoWhere(bob, "nobody is there", (v) => v.peers === 0 && v.state === "downloading");
    const carol = await sharing("Carol");
    await bob.session.connect(`127.0.0.1:${carol.port}`);
    assert.ok((await second).bytes.equals(slice(20 * MIB, 21 * MIB)));
    assert.ok((await whole).bytes.equals(content));
  });

  it("says 416 beyond the end while it comes, too, and where the end is", async () => {
    const alice = await sharing("Alice", 1_000_000);
    const bob = await startPeer("Bob");
    const { url } = await bob.session.openStream(linkVia(alice.link, alice.port));
    const beyond = await fetch(url, { headers: { Range: `bytes=${SIZE}-${SIZE + 9}` } });
    assert.deepEqual([beyond.status, beyond.headers.get("content-range")], [416, `bytes */${SIZE}`]);
    const across = await fetch(url, { headers: { Range: `bytes=${SIZE - 9}-${SIZE + 9}` } });
    assert.equal(across.headers.get("content-range"), `bytes ${SIZE - 9}-${SIZE - 1}/${SIZE}`);
    assert.ok(Buffer.from(await across.arrayBuffer()).equals(slice(SIZE - 9, SIZE - 1)));
  });

  it("is read on when somebody pauses it in the moment in which it becomes whole", async () => {
    const alice = await sharing("Alice", 8_000_000);
    const bob = await startPeer("Bob");
    const { url, key } = await bob.session.openStream(linkVia(alice.link, alice.port));
    await fetchPart(url, 0, 0);
    const reader = runtimeOf(bob, key).stream.open(0);
    const { video } = runtimeOf(bob, key) as unknown as { video: OpenVideo };
    const storage = video.storage as VideoStorage;
    const finish = storage.finish.bind(storage);
    let pausing: Promise<void> | undefined;
    storage.finish = (replace) => {
      pausing = bob.session.pause(key);
      return finish(replace);
    };
    await alice.session.setLimits(NO_LIMITS);
    await videoWhere(bob, "it is whole", (v) => v.state === "ready");
    await pausing;
    assert.ok(pausing, "it was paused in this very moment");
    const chunks: Buffer[] = [];
    for (let bytes = await reader.read(MIB); bytes.length > 0; bytes = await reader.read(MIB)) chunks.push(bytes);
    reader.close();
    assert.ok(Buffer.concat(chunks).equals(content));
    assert.equal((await bob.session.snapshot()).videos.find((v) => v.key === key)?.state, "ready");
  });

  describe("with the file itself", () => {
    const folder = tempDir("damaged");
    const shareAndPlay = async (bytes: Buffer, name: string) => {
      const path = join(folder, name);
      await writeFile(path, bytes);
      const alice = await startPeer("Alice");
      const { link } = await shareFile(alice, path);
      const bob = await startPeer("Bob");
      const stream = await bob.session.openStream(linkVia(link, await portOf(alice)));
      await bob.session.allowConversion(stream.id);
      return stream.url;
    };

    it("gives a video that was cut off as it is, and makes of it what there is", async () => {
      const clip = await readFile(await makeClip(join(folder, "clip.mp4"), { seconds: 8 }));
      const cut = clip.subarray(0, Math.floor(clip.length * 0.6));
      const url = await shareAndPlay(cut, "cut.mp4");
      assert.ok(Buffer.from(await (await fetch(url)).arrayBuffer()).equals(cut));
      if (!hasFfmpeg()) return;
      const { status, body } = await fetchConverted(url, 2);
      assert.equal(status, 200);
      const { video } = await readConverted(body);
      assert.ok(video && video.first <= 2 && video.end > 3 && video.end < 8, `${video?.first} to ${video?.end} s`);
    });

    it("gives a damaged video as it is, and makes of it what there is", async () => {
      const clip = Buffer.from(await readFile(await makeClip(join(folder, "whole.mp4"), { seconds: 8 })));
      const damage = Math.floor(clip.length * 0.4);
      clip.fill(0xa5, damage, damage + 20_000);
      const url = await shareAndPlay(clip, "damaged.mp4");
      assert.ok(Buffer.from(await (await fetch(url)).arrayBuffer()).equals(clip));
      if (!hasFfmpeg()) return;
      const { status, body } = await fetchConverted(url);
      assert.equal(status, 200);
      const { video } = await readConverted(body);
      assert.ok((video?.end ?? 0) > 7, `${video?.end} s`);
    });

    it("says that a video without its index is none", async () => {
      const url = await shareAndPlay(content.subarray(0, 300_000), "noise.mp4");
      assert.ok(Buffer.from(await (await fetch(url)).arrayBuffer()).equals(content.subarray(0, 300_000)));
      if (!hasFfmpeg()) return;
      const { status, error } = await fetchConverted(url);
      assert.deepEqual([status, error], [502, "not-a-video"]);
    });
  });
});
