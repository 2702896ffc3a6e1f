import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import { join } from "node:path";
import { POOL_BYTES } from "../../src/peer/storage/bufferPool";
import { toHex } from "../../src/wire/bytes";
import type { VideoId } from "../../src/wire/types";
import { randomFile, sha256OfFile } from "../helpers/randomFile";
import { type Script, type ScriptedPeer, seed, startScripted } from "../helpers/scriptedPeer";
import { shareFile, startPeer, stopSessions } from "../helpers/sessions";
import { tempDir } from "../helpers/tempDir";
import { until } from "../helpers/until";

const MIB = 1024 * 1024;

describe("memory of pieces in flight, over all downloads", function () {
  this.timeout(60_000);
  let fake: ScriptedPeer | undefined;

  afterEach(async () => {
    await stopSessions();
    await fake?.stop();
    fake = undefined;
  });

  it("is not held by a source that gives blocks and no hashes: another download goes on", async () => {
    let given = 0;
    const withholdsHashes: Script = (_socket, send, requests) => {
      seed(send);
      void (async () => {
        for await (const m of requests) {
          if (m.type !== "request") continue;
          send({ ...m, type: "piece", data: Buffer.alloc(m.length) });
          given += m.length;
        }
      })();
    };
    const id = toHex(randomBytes(32)) as VideoId;
    const shape = { piecesRoot: toHex(randomBytes(32)), length: 2 * POOL_BYTES, pieceLength: MIB };
    fake = await startScripted({ id, ...shape, hosts: [], trackers: [] }, withholdsHashes);
    const alice = await startPeer("alice");
    const file = await randomFile(join(tempDir(), "clip.mp4"), 24 * MIB, 5);
    const { link } = await shareFile(alice, file);
    const bob = await startPeer("bob");
    await bob.session.download({ source: fake.link });
    await until("all the memory is taken", () => given >= POOL_BYTES);
    const { key } = await bob.session.download({ source: link });
    const { path } = await bob.session.downloadResult(key);
    assert.equal(await sha256OfFile(path), await sha256OfFile(file));
  });
});
