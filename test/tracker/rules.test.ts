import assert from "node:assert/strict";
import fc from "fast-check";
import { decodeCursor, encodeCursor } from "../../tracker/cursor";
import { HEARTBEAT_MS, SILENT_HEARTBEATS } from "../../tracker/limits";
import { addressKey, hostFor, plainAddress } from "../../tracker/rules";
import { SortedView } from "../../tracker/sortedView";
import { TokenBucket } from "../../tracker/tokenBucket";

describe("A tracker's rules", () => {
  it("end a silent session well within 60 s", () => {
    const worst = HEARTBEAT_MS * (SILENT_HEARTBEATS + 1);
    assert.ok(worst <= 40_000, `${worst} ms`);
  });

  describe("for addresses", () => {
    it("read an IPv4 address through a dual-stack socket as what it is, and drop zones", () => {
      assert.equal(plainAddress("::ffff:192.0.2.7"), "192.0.2.7");
      assert.equal(plainAddress("fe80::1%eth0"), "fe80::1");
      assert.equal(plainAddress("2001:db8::1"), "2001:db8::1");
      assert.equal(plainAddress(undefined), "");
    });

    it("count IPv6 by /64 and IPv4 by address", () => {
      assert.equal(addressKey("192.0.2.7"), "192.0.2.7");
      assert.equal(addressKey("2001:db8:1:2:3:4:5:6"), addressKey("2001:db8:1:2::9"));
      assert.notEqual(addressKey("2001:db8:1:2::9"), addressKey("2001:db8:1:3::9"));
      assert.equal(addressKey("2001:db8::1"), "2001:db8:0:0::/64");
      assert.equal(addressKey("::1"), "0:0:0:0::/64");
    });

    it("give a peer on the tracker's machine an address that the asker can use", () => {
      const far = { host: "192.0.2.9", dialledHost: "tracker.example", localHost: "192.0.2.1" };
      const near = { host: "127.0.0.1", dialledHost: "localhost", localHost: "127.0.0.1" };
      assert.equal(hostFor("127.0.0.1", near), "127.0.0.1");
      assert.equal(hostFor("::1", near), "127.0.0.1");
      assert.equal(hostFor("127.0.0.1", far), "tracker.example");
      assert.equal(hostFor("::1", { ...far, dialledHost: "localhost" }), "192.0.2.1", "through a tunnel");
      assert.equal(hostFor("192.0.2.8", near), "192.0.2.8");
    });
  });

  describe("for rates", () => {
    it("let a burst through, then so many a second, and say when to come back", () => {
      const bucket = new TokenBucket({ burst: 10, perSecond: 2 }, 0);
      for (let i = 0; i < 10; i++) assert.equal(bucket.take(1, 0), 0);
      assert.equal(bucket.take(1, 0), 500);
      assert.equal(bucket.take(1, 250), 250);
      assert.equal(bucket.take(1, 500), 0);
      assert.equal(bucket.isFull(500), false);
      assert.equal(bucket.isFull(5500), true);
    });

    it("let what is larger than the burst through when the bucket is full, and make it wait for the debt", () => {
      const bucket = new TokenBucket({ burst: 10, perSecond: 10 }, 0);
      assert.equal(bucket.take(30, 0), 0);
      assert.equal(bucket.take(1, 0), 2100);
      bucket.charge(5);
      assert.equal(bucket.take(1, 2100), 500);
    });
  });

  it("keep any cursor intact", () => {
    fc.assert(
      fc.property(
        fc.oneof(fc.string(), fc.double({ noNaN: true, noDefaultInfinity: true })),
        fc.string(),
        (value, key) => {
          const read = decodeCursor(encodeCursor(value, key));
          assert.ok(read.value === value || (read.value === 0 && value === 0));
          assert.equal(read.key, key);
        },
      ),
    );
  });

  it("keep a view sorted through any additions, removals and changes, and never touch an array that was given out", () => {
    const step = fc.record({ what: fc.constantFrom("add", "delete", "touch"), item: fc.nat(20), value: fc.nat(50) });
    fc.assert(
      fc.property(fc.array(step, { maxLength: 60 }), (steps) => {
        const items = Array.from({ length: 21 }, (_, id) => ({ id, value: 0 }));
        const inside = new Set<number>();
        const view = new SortedView<{ id: number; value: number }>((a, b) => a.value - b.value || a.id - b.id);
        for (const { what, item: id, value } of steps) {
          const item = items[id]!;
          const before = view.sorted();
          const copy = [...before];
          if (what === "add") {
            view.add(item);
            inside.add(id);
          } else if (what === "delete") {
            view.delete(item);
            inside.delete(id);
          } else {
            item.value = value;
            view.touch(item);
          }
          const sorted = view.sorted();
          assert.deepEqual(before, copy);
          assert.deepEqual([...sorted.map((each) => each.id)].sort(), [...inside].sort());
          for (let i = 1; i < sorted.length; i++) assert.ok(sorted[i - 1]!.value <= sorted[i]!.value);
        }
      }),
    );
  });
});
