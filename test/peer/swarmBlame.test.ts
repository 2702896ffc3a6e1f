import assert from "node:assert/strict";
import { open, stat, utimes } from "node:fs/promises";
import { join } from "node:path";
import { BLOCK_BYTES } from "../../src/wire/constants";
import { randomFile, sha256OfFile } from "../helpers/randomFile";
import { linkVia, portOf, runtimeOf, shareFile, startPeer, stopSessions } from "../helpers/sessions";
import { tempDir } from "../helpers/tempDir";
import { until } from "../vscode/support/until";

const MIB = 1024 * 1024;
const SIZE = 8 * MIB;
const PIECE = 256 * 1024;

describe("One wrong block among right ones of others in the same piece", function () {
  this.timeout(30_000);
  afterEach(stopSessions);

  it("bans who gave it and nobody else, and costs that block alone", async () => {
    // One name: it is part of what makes them the same video.
    const paths = ["one", "two", "bad"].map((name) => join(tempDir(name), "clip.mp4"));
    for (const path of paths) await randomFile(path, SIZE, 81);
    const peers = await Promise.all(paths.map((_, i) => startPeer(`giver${i}`, { uploadLimit: 700_000 })));
    const shared = await Promise.all(paths.map((path, i) => shareFile(peers[i]!, path)));
    // Under the same size and time: every eighth block is another one.
    const { atime, mtime } = await stat(paths[2]!);
    const file = await open(paths[2]!, "r+");
    for (let at = 7 * BLOCK_BYTES; at < SIZE; at += 8 * BLOCK_BYTES) await file.write(Buffer.alloc(100), 0, 100, at);
    await file.close();
    await utimes(paths[2]!, atime, mtime);

    const bob = await startPeer("bob");
    const { url, key } = await bob.session.openStream(linkVia(shared[0]!.link, await portOf(peers[0]!)));
    const runtime = runtimeOf(bob, key);
    const prints = await Promise.all(peers.map(async ({ session }) => (await session.snapshot()).peer.fingerprint));
    const ports = await Promise.all(peers.map(portOf));
    runtime.addPeers(
      prints.map((print, i) => ({
        fingerprint: print || undefined,
        host: "127.0.0.1",
        port: ports[i]!,
        transport: "tls" as const,
      })),
    );
    // What a player waits for is taken from everybody: pieces are of mixed origin.
    const watched = fetch(url).then((response) => response.arrayBuffer());
    const { swarm } = runtime;
    // biome-ignore lint/complexity/useLiteralKeys: who is banned is nobody's business
    const banned = () => [...swarm!["banned"]];
    await until(() => banned().length > 0, "somebody is banned");
    assert.ok(swarm!.down.total < SIZE, "it is found out long before the end");
    await watched;
    const { path } = await bob.session.downloadResult(key);
    assert.equal(await sha256OfFile(path), await sha256OfFile(paths[0]!));
    assert.deepEqual(banned(), [prints[2]]);
    const again = swarm!.down.total - SIZE;
    // The wrong blocks, and what of the liar was in the middle of coming: less than two pieces.
    assert.ok(again < 2 * PIECE, `${again} bytes came twice`);
  });
});
