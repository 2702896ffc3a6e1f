import assert from "node:assert/strict";
import { hasSound, remuxType, soundOf, type Track } from "../../src/webview/codecs";

const H264: Track = { name: "avc", codec: "avc1.64001f" };
const VP8: Track = { name: "vp8", codec: "vp8" };
const VP9: Track = { name: "vp9", codec: "vp09.00.10.08" };
const AAC: Track = { name: "aac", codec: "mp4a.40.2" };
const OPUS: Track = { name: "opus", codec: "opus" };

describe("codecs strings", () => {
  it("name the sound, wherever it stands", () => {
    assert.equal(soundOf("avc1.64001f, mp4a.40.2"), "aac");
    assert.equal(soundOf("mp4a.40.5,avc1.64001f"), "aac");
    assert.equal(soundOf("vp09.00.10.08, opus"), "opus");
    assert.equal(soundOf("avc1.42e01e, ac-3"), "ac3");
    assert.equal(soundOf("avc1.42e01e, ec-3"), "eac3");
  });

  it("may call other sound by numbers of MPEG-4", () => {
    assert.equal(soundOf("mp4a.6B"), "mp3");
    assert.equal(soundOf("mp4a.69"), "mp3");
    assert.equal(soundOf("mp4a.a5"), "ac3");
    assert.equal(soundOf("mp4a.ad"), "opus");
  });

  it("name no sound where there is none", () => {
    assert.equal(soundOf("avc1.64001f"), undefined);
    assert.equal(hasSound("avc1.64001f"), false);
    assert.equal(hasSound(""), false);
  });

  it("of unknown sound still say that there is some", () => {
    assert.equal(soundOf("avc1.64001f, samr"), undefined);
    assert.equal(hasSound("avc1.64001f, samr"), true);
  });
});

describe("the container for Media Source Extensions", () => {
  it("is WebM for what WebM holds, else MP4", () => {
    assert.deepEqual(remuxType(VP9, OPUS), { container: "webm", type: 'video/webm; codecs="vp09.00.10.08, opus"' });
    assert.deepEqual(remuxType(H264, AAC), { container: "mp4", type: 'video/mp4; codecs="avc1.64001f, mp4a.40.2"' });
    assert.equal(remuxType(VP9, AAC)?.container, "mp4");
    assert.equal(remuxType(H264, OPUS)?.container, "mp4");
    assert.equal(remuxType(VP8, undefined)?.container, "webm");
  });

  it("is none where no container holds both", () => {
    assert.equal(remuxType(VP8, AAC), undefined);
    assert.equal(remuxType(H264, { name: "vorbis", codec: "vorbis" }), undefined);
    assert.equal(remuxType({ name: "prores", codec: "apch" }, undefined), undefined);
  });
});
