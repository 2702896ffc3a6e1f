import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { readFile, rm, writeFile } from "node:fs/promises";
import { type IncomingHttpHeaders, request } from "node:http";
import { join } from "node:path";
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
  type TestPeer,
  videoWhere,
} from "../helpers/sessions";
import { tempDir } from "../helpers/tempDir";

const MIB = 1024 * 1024;
const SIZE = 24 * MIB + 4321;
/** Of 256 KiB each. */
const PIECES = 97;

interface Reply {
  status: number;
  headers: IncomingHttpHeaders;
  body: Buffer;
}

function fetchUrl(url: string, headers: Record<string, string> = {}, method = "GET"): Promise<Reply> {
  return new Promise((resolve, reject) => {
    const outgoing = request(url, { method, headers, agent: false }, (response) => {
      const chunks: Buffer[] = [];
      response.on("data", (chunk) => chunks.push(chunk));
      response.on("error", reject);
      response.on("aborted", () => reject(new Error("aborted")));
      response.on("end", () =>
        resolve({ status: response.statusCode ?? 0, headers: response.headers, body: Buffer.concat(chunks) }),
      );
    });
    outgoing.on("error", reject).end();
  });
}

describe("Playing a video", function () {
  this.timeout(40_000);
  let file: string;
  let content: Buffer;

  before(async () => {
    file = await randomFile(join(tempDir("stream"), "talk.mp4"), SIZE, 11);
    content = await readFile(file);
  });
  afterEach(stopSessions);

  const range = (begin: number, end: number) => ({ Range: `bytes=${begin}-${end}` });
  const slice = (begin: number, end: number) => content.subarray(begin, end + 1);
  const sharing = (name = "Alice", rate = 0) => startSharing(name, file, rate);

  describe("that is on disk", () => {
    let url: string;
    let peer: TestPeer;
    beforeEach(async () => {
      const alice = await sharing();
      peer = alice;
      url = (await alice.session.openStream(alice.key, "https://player.example")).url;
    });

    it("gives all of it, with what a player wants to know", async () => {
      const { status, headers, body } = await fetchUrl(url);
      assert.equal(status, 200);
      assert.equal(headers["content-length"], String(SIZE));
      assert.equal(headers["content-type"], "video/mp4");
      assert.equal(headers["accept-ranges"], "bytes");
      assert.ok(body.equals(content));
      assert.match(url, /^http:\/\/127\.0\.0\.1:\d+\/[A-Za-z0-9_-]{22}\/talk\.mp4$/);
    });

    it("gives parts, open ends and tails, and says 416 beyond the end", async () => {
      const part = await fetchUrl(url, range(1_000_000, 3_000_000));
      assert.equal(part.status, 206);
      assert.equal(part.headers["content-range"], `bytes 1000000-3000000/${SIZE}`);
      assert.ok(part.body.equals(slice(1_000_000, 3_000_000)));
      const tail = await fetchUrl(url, { Range: "bytes=-100" });
      assert.ok(tail.body.equals(slice(SIZE - 100, SIZE - 1)));
      const open = await fetchUrl(url, { Range: `bytes=${SIZE - 10}-` });
      assert.ok(open.body.equals(slice(SIZE - 10, SIZE - 1)));
      const beyond = await fetchUrl(url, { Range: `bytes=${SIZE}-` });
      assert.equal(beyond.status, 416);
      assert.equal(beyond.headers["content-range"], `bytes */${SIZE}`);
    });

    it("answers HEAD without a body, and refuses what is neither GET nor HEAD", async () => {
      const head = await fetchUrl(url, {}, "HEAD");
      assert.deepEqual([head.status, head.headers["content-length"], head.body.length], [200, String(SIZE), 0]);
      assert.equal((await fetchUrl(url, {}, "POST")).status, 405);
    });

    it("honours If-Range", async () => {
      const { headers } = await fetchUrl(url, {}, "HEAD");
      const same = await fetchUrl(url, { ...range(0, 9), "If-Range": headers.etag! });
      assert.equal(same.status, 206);
      const other = await fetchUrl(url, { ...range(0, 9), "If-Range": '"other"' });
      assert.deepEqual([other.status, other.body.length], [200, SIZE]);
    });

    it("is there for its own page only, and only by the name of this machine", async () => {
      const own = await fetchUrl(url, { ...range(0, 0), Origin: "https://player.example" });
      assert.equal(own.headers["access-control-allow-origin"], "https://player.example");
      const preflight = await fetchUrl(url, { Origin: "https://player.example" }, "OPTIONS");
      assert.match(preflight.headers["access-control-allow-headers"] ?? "", /Range/);
      const other = await fetchUrl(url, { ...range(0, 0), Origin: "https://evil.example" });
      assert.equal(other.headers["access-control-allow-origin"], undefined);
      assert.equal((await fetchUrl(url, { Host: "evil.example" })).status, 404);
      assert.equal((await fetchUrl(url, { Host: "127.0.0.1.evil.example" })).status, 404);
      const guessed = new URL(url);
      guessed.pathname = `/${"A".repeat(22)}/talk.mp4`;
      assert.equal((await fetchUrl(guessed.href)).status, 404);
      guessed.pathname = "/";
      assert.equal((await fetchUrl(guessed.href)).status, 404);
    });

    it("is there for the page that has said where it is from", async () => {
      const stream = await peer.session.openStream((await peer.session.snapshot()).videos[0]!.key);
      const cors = async (origin: string) => {
        const { headers } = await fetchUrl(stream.url, { ...range(0, 0), Origin: origin });
        return headers["access-control-allow-origin"];
      };
      assert.equal(await cors("https://player.example"), undefined);
      await peer.session.allowOrigin(stream.id, "https://player.example");
      assert.equal(await cors("https://player.example"), "https://player.example");
      assert.equal(await cors("https://evil.example"), undefined);
      await assert.rejects(peer.session.allowOrigin("A".repeat(22), "https://player.example"), {
        code: "invalid-argument",
      });
    });

    it("ends when the stream is closed, and with the peer", async () => {
      const second = await peer.session.openStream((await peer.session.snapshot()).videos[0]!.key);
      await peer.session.closeStream(second.id);
      assert.equal((await fetchUrl(second.url)).status, 404);
      assert.equal((await fetchUrl(url, range(0, 0))).status, 206);
      await peer.session.stop();
      await assert.rejects(fetchUrl(url));
    });

    it("does not give what the file has turned into", async () => {
      const path = join(tempDir("changed"), "mine.mp4");
      await writeFile(path, content.subarray(0, MIB));
      const { key } = await shareFile(peer, path);
      const stream = await peer.session.openStream(key);
      assert.equal((await fetchUrl(stream.url, range(0, 0))).status, 206);
      await rm(path);
      await assert.rejects(peer.session.openStream(key), { code: "file-missing" });
    });

    it("is not put to sleep between being woken and being read", async () => {
      const alice = await sharing();
      const runtime = runtimeOf(alice, alice.key);
      await runtime.wake();
      const waking = runtime.wake();
      const sleeping = runtime.sleepIfIdle();
      await waking;
      const reader = runtime.stream.open(0);
      await sleeping;
      assert.deepEqual(await reader.read(100), slice(0, 99));
      reader.close();
    });

    it("serves ten players at once", async () => {
      const parts = Array.from({ length: 10 }, (_, i) => [i * MIB, i * MIB + 2 * MIB] as const);
      const replies = await Promise.all(parts.map(([begin, end]) => fetchUrl(url, range(begin, end))));
      for (const [i, { body }] of replies.entries()) assert.ok(body.equals(slice(...parts[i]!)));
    });
  });

  describe("that is on its way", () => {
    it("begins at once, seeks at once, and ends as a whole verified file", async () => {
      const alice = await sharing("Alice", 4_000_000);
      const bob = await startPeer("Bob");
      const { url, key } = await bob.session.openStream(linkVia(alice.link, alice.port));
      const begun = performance.now();
      const head = await fetchUrl(url, range(0, 99_999));
      const middle = await fetchUrl(url, range(12 * MIB, 12 * MIB + 99_999));
      const tail = await fetchUrl(url, { Range: "bytes=-50000" });
      const took = performance.now() - begun;
      assert.ok(head.body.equals(slice(0, 99_999)));
      assert.ok(middle.body.equals(slice(12 * MIB, 12 * MIB + 99_999)));
      assert.ok(tail.body.equals(slice(SIZE - 50_000, SIZE - 1)));
      // All of it takes 6 s at that rate.
      assert.ok(took < 3_000, `${Math.round(took)} ms`);
      const video = (await bob.session.snapshot()).videos.find((v) => v.key === key);
      assert.equal(video?.state, "downloading");
      await bob.session.setLimits(NO_LIMITS);
      await alice.session.setLimits(NO_LIMITS);
      const { body } = await fetchUrl(url);
      assert.ok(body.equals(content));
      const { path } = await bob.session.downloadResult(key);
      assert.equal(sha(await readFile(path)), sha(content));
      assert.ok((await fetchUrl(url, range(5, 10))).body.equals(slice(5, 10)), "goes on after the end");
    });

    it("gives verified blocks before their piece is whole", async () => {
      // 256 KiB a piece: two seconds at this rate.
      const alice = await sharing("Alice", 130_000);
      const bob = await startPeer("Bob");
      const { url } = await bob.session.openStream(linkVia(alice.link, alice.port));
      const begun = performance.now();
      const { body } = await fetchUrl(url, range(0, 16_383));
      assert.ok(body.equals(slice(0, 16_383)));
      const { videos } = await bob.session.snapshot();
      assert.equal(videos[0]?.bytesDone, 0, `no piece is whole after ${Math.round(performance.now() - begun)} ms`);
    });

    it("has what every player reads first before one has come", async () => {
      const alice = await sharing("Alice", 2_000_000);
      const bob = await startPeer("Bob");
      const { key } = await bob.session.openStream(linkVia(alice.link, alice.port));
      await videoWhere(bob, "some of it is here", (v) => v.bytesDone >= MIB);
      const { pieces } = await bob.session.details(key);
      const here = Buffer.from(pieces?.here ?? "", "base64");
      assert.equal(here.length, PIECES);
      const head = [0, 1];
      const tail = [PIECES - 2, PIECES - 1];
      for (const piece of [...head, ...tail]) assert.equal(here[piece], 255, `piece ${piece} is here`);
      // What follows the head comes next, and nothing of the middle.
      assert.ok(!here.subarray(24, PIECES - 3).some((cell) => cell === 255));
    });

    it("goes on from another when the one it came from goes away", async () => {
      const alice = await sharing("Alice", 3_000_000);
      const carol = await sharing("Carol", 3_000_000);
      const bob = await startPeer("Bob");
      const { url } = await bob.session.openStream(linkVia(alice.link, alice.port));
      await bob.session.connect(`127.0.0.1:${carol.port}`);
      await fetchUrl(url, range(0, 10));
      const rest = fetchUrl(url);
      await videoWhere(bob, "some of it is here", (v) => v.bytesDone > MIB);
      await alice.session.stop();
      await carol.session.setLimits(NO_LIMITS);
      assert.ok((await rest).body.equals(content));
    });

    it("waits while nobody is there, and goes on when somebody comes back", async () => {
      const alice = await sharing("Alice", 3_000_000);
      const bob = await startPeer("Bob");
      const { url } = await bob.session.openStream(linkVia(alice.link, alice.port));
      const whole = fetchUrl(url);
      await videoWhere(bob, "some of it is here", (v) => v.bytesDone > MIB);
      await alice.session.stop();
      const again = await startPeer("Alice", { ...alice.config, port: alice.port, uploadLimit: 0 });
      assert.equal(await portOf(again), alice.port);
      assert.ok((await whole).body.equals(content));
    });

    it("ends with its download, and begins again with it", async () => {
      const alice = await sharing("Alice", 1_000_000);
      const bob = await startPeer("Bob");
      const { url, key } = await bob.session.openStream(linkVia(alice.link, alice.port));
      await fetchUrl(url, range(0, 10));
      const whole = fetchUrl(url);
      await bob.session.pause(key);
      // Cut off in the middle, or refused where it had not begun.
      const outcome = await whole.then(
        ({ status }) => status,
        () => "cut off",
      );
      assert.ok(outcome === "cut off" || outcome === 502, String(outcome));
      await alice.session.setLimits(NO_LIMITS);
      const { url: next } = await bob.session.openStream(key);
      assert.ok((await fetchUrl(next)).body.equals(content));
    });

    it("ends when the video is removed, also before anybody knew how long it is", async () => {
      const bob = await startPeer("Bob");
      const magnet = `magnet:?xt=urn:btmh:1220${"ab".repeat(32)}&x.pe=127.0.0.1:1`;
      const { url, key } = await bob.session.openStream(magnet);
      const waiting = fetchUrl(url);
      await new Promise((resolve) => setTimeout(resolve, 200));
      await bob.session.remove(key, { deleteFile: true });
      assert.equal((await waiting).status, 502);
    });

    it("leaves no window behind when a player goes away", async () => {
      const alice = await sharing("Alice", 1_000_000);
      const bob = await startPeer("Bob");
      const { url } = await bob.session.openStream(linkVia(alice.link, alice.port));
      await fetchUrl(url, range(0, 10));
      for (let i = 0; i < 200; i++) {
        await new Promise<void>((resolve) => {
          const outgoing = request(url, { headers: range(i * 100_000, SIZE - 1), agent: false }, (response) => {
            response.on("error", () => {});
            outgoing.destroy();
          });
          outgoing.on("error", () => {});
          outgoing.on("close", () => resolve());
          outgoing.end();
        });
      }
      const { body } = await fetchUrl(url, range(20 * MIB, 20 * MIB + 10));
      assert.ok(
        body.equals(slice(20 * MIB, 20 * MIB + 10)),
        "more readers than are allowed at once have come and gone",
      );
    });
  });
});

function sha(bytes: Buffer): string {
  return createHash("sha256").update(bytes).digest("hex");
}
