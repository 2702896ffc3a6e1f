import assert from "node:assert/strict";
import fc from "fast-check";
import { StreamletError } from "../../src/wire/errors";
import { announceUrl, isPeerId, parseTrackerAddress, peerIdKey } from "../../src/wire/trackerAddress";

describe("A tracker's address", () => {
  const forms: [string, string, string][] = [
    ["localhost:6000", "localhost:6000", "ws://localhost:6000"],
    ["localhost", "localhost", "ws://localhost:6000"],
    [" Tracker.Example:7000 ", "Tracker.Example:7000", "ws://tracker.example:7000"],
    ["ws://10.0.0.1:80", "ws://10.0.0.1:80", "ws://10.0.0.1:80"],
    ["wss://tracker.example", "wss://tracker.example", "wss://tracker.example:443"],
    ["WSS://tracker.example:6000/", "WSS://tracker.example:6000/", "wss://tracker.example:6000"],
    ["[2001:db8::1]:6000", "[2001:db8::1]:6000", "ws://[2001:db8::1]:6000"],
    ["h:6000?token=s3cret%26", "h:6000", "ws://h:6000"],
    ["wss://h:443/?token=x", "wss://h:443", "wss://h:443"],
  ];

  for (const [written, display, canonical] of forms) {
    it(`may be written ${written}`, () => {
      const address = parseTrackerAddress(written);
      assert.deepEqual([address.display, address.canonical], [display, canonical]);
      assert.equal(parseTrackerAddress(address.canonical).canonical, canonical, "canonical stays what it is");
    });
  }

  it("is dialled with its token, and shown without", () => {
    const address = parseTrackerAddress("h:6000?token=a%26b");
    assert.deepEqual([address.token, address.url, address.host], ["a&b", "ws://h:6000/?token=a%26b", "h"]);
    assert.equal(parseTrackerAddress("[::1]:6000").host, "::1");
  });

  it("is refused with a sentence, and without repeating a token, when it is none", () => {
    for (const text of [
      "",
      "http://h:1",
      "h:0",
      "h:65536",
      "h 1",
      "ws://h/path",
      "u:p@h:1",
      "h:1#x",
      "a".repeat(600),
      "ws://",
      ":6000",
    ]) {
      assert.throws(() => parseTrackerAddress(text), { code: "invalid-argument" }, text);
    }
    try {
      parseTrackerAddress("ws://h:0?token=s3cret");
      assert.fail();
    } catch (error) {
      assert.ok(error instanceof StreamletError && !error.message.includes("s3cret"));
    }
  });

  it("never makes anything but a StreamletError of any text", () => {
    fc.assert(
      fc.property(fc.oneof(fc.string(), fc.webUrl(), fc.ipV6(), fc.domain()), (text) => {
        try {
          assert.match(parseTrackerAddress(text).canonical, /^wss?:\/\/[^/\s]+:\d+$/);
        } catch (error) {
          assert.ok(error instanceof StreamletError, String(error));
        }
      }),
    );
  });
});

describe("A Peer ID", () => {
  it("has 1 to 32 letters, digits, _, - and ., and is no folder's name for another folder", () => {
    for (const good of ["a", "Alice", "a.b-c_9", "x".repeat(32), ".a"]) assert.ok(isPeerId(good), good);
    for (const bad of ["", "x".repeat(33), "a b", "é", "a/b", ".", "..", "a\n", "а"]) assert.ok(!isPeerId(bad), bad);
  });

  it("is compared without case", () => {
    assert.equal(peerIdKey("Alice"), peerIdKey("aLICE"));
  });

  it("says where BitTorrent clients announce themselves, unless that needs a token", () => {
    assert.equal(announceUrl("localhost:6000"), "http://localhost:6000/announce");
    assert.equal(announceUrl("WSS://Tracker.example"), "https://tracker.example:443/announce");
    assert.equal(announceUrl("ws://[::1]:7"), "http://[::1]:7/announce");
    assert.equal(announceUrl("host:6000?token=x"), undefined);
  });
});
