import assert from "node:assert/strict";
import fc from "fast-check";
import {
  DEFAULT_PORT,
  DEFAULT_TRACKER,
  MAX_TRACKERS,
  type PeerIdProblem,
  portAdvice,
  type TrackerProblem,
  toProfileDraft,
  trimProfile,
  validatePeerId,
  validatePort,
  validateProfile,
  validateTracker,
} from "../../src/rpc/profilePanel";
import { isPeerId, parseTrackerAddress } from "../../src/wire/trackerAddress";

describe("the profile form's rules", () => {
  describe("Peer ID", () => {
    for (const good of ["a", "Alice", "alice_2", "a-b.c", "x".repeat(32), ".a", "0"]) {
      it(`accepts ${JSON.stringify(good)}`, () => assert.equal(validatePeerId(good), undefined));
    }
    const bad: [string, PeerIdProblem][] = [
      ["", "peerIdEmpty"],
      ["x".repeat(33), "peerIdTooLong"],
      ["Alice Smith", "peerIdCharacters"],
      ["Álice", "peerIdCharacters"],
      ["a/b", "peerIdCharacters"],
      ["a\n", "peerIdCharacters"],
      ["..", "peerIdDots"],
      [".".repeat(32), "peerIdDots"],
    ];
    for (const [text, problem] of bad) {
      it(`refuses ${JSON.stringify(text)}: ${problem}`, () => assert.equal(validatePeerId(text), problem));
    }
    it("refuses the name of another profile, without regard to case", () => {
      assert.equal(validatePeerId("ALICE", ["bob", "Alice"]), "peerIdUsed");
      assert.equal(validatePeerId("carol", ["bob", "Alice"]), undefined);
    });
    it("agrees with the engine on every text", () => {
      fc.assert(
        fc.property(fc.oneof(fc.string(), fc.stringMatching(/^[A-Za-z0-9_.-]{0,34}$/)), (text) => {
          assert.equal(validatePeerId(text) === undefined, isPeerId(text));
        }),
      );
    });
  });

  describe("port", () => {
    for (const good of ["1", "80", "5000", "65535", "05000"]) {
      it(`accepts ${good}`, () => assert.equal(validatePort(good), undefined));
    }
    for (const [text, problem] of [
      ["", "portEmpty"],
      ["abc", "portNotANumber"],
      ["-1", "portNotANumber"],
      ["1e3", "portNotANumber"],
      ["50.5", "portNotANumber"],
      ["0", "portOutOfRange"],
      ["65536", "portOutOfRange"],
      ["9".repeat(400), "portOutOfRange"],
    ] as const) {
      it(`refuses ${JSON.stringify(text.slice(0, 12))}: ${problem}`, () => assert.equal(validatePort(text), problem));
    }
    it("warns below 1024", () => {
      assert.equal(portAdvice(1023, "linux"), "portPrivileged");
      assert.equal(portAdvice(1024, "linux"), undefined);
    });
    it("warns about AirPlay on macOS only", () => {
      assert.equal(portAdvice(5000, "darwin"), "portAirPlay");
      assert.equal(portAdvice(7000, "darwin"), "portAirPlay");
      assert.equal(portAdvice(5001, "darwin"), undefined);
      assert.equal(portAdvice(5000, "linux"), undefined);
    });
  });

  describe("tracker", () => {
    const good = [
      "localhost:6000",
      "192.168.1.20:6000",
      "[::1]:6000",
      "[fe80::1]:1",
      "tracker.example.org:65535",
      "büro.example:6000",
      "ws://localhost:6000",
      "WS://Localhost:6000/",
      "wss://tracker.example.org:443",
      "wss://tracker.example.org",
      "localhost:6000?token=abc",
      "wss://tracker.example.org/?token=a%26b",
    ];
    for (const text of good) {
      it(`accepts ${text}`, () => {
        assert.equal(validateTracker(text), undefined);
        assert.doesNotThrow(() => parseTrackerAddress(text));
      });
    }
    const bad: [string, TrackerProblem][] = [
      ["", "trackerEmpty"],
      [`${"h".repeat(510)}:60`, "trackerTooLong"],
      ["local host:6000", "trackerSpaces"],
      ["http://localhost:6000", "trackerScheme"],
      ["udp://tracker:80", "trackerScheme"],
      ["://tracker:80", "trackerScheme"],
      ["user@localhost:6000", "trackerForm"],
      ["::1:6000", "trackerForm"],
      ["[::1:6000", "trackerForm"],
      ["a:b:6000", "trackerForm"],
      ["localhost:6000#x", "trackerForm"],
      [":6000", "trackerHost"],
      ["ws://:6000", "trackerHost"],
      ["[::zz]:6000", "trackerHost"],
      ["256.1.1.1:6000", "trackerHost"],
      ["a%b:6000", "trackerHost"],
      ["localhost", "trackerPortMissing"],
      ["localhost:", "trackerPortMissing"],
      ["ws://localhost", "trackerPortMissing"],
      ["localhost:0", "trackerPort"],
      ["localhost:65536", "trackerPort"],
      ["localhost:60x", "trackerPort"],
      ["wss://example.org/tracker", "trackerPath"],
      ["localhost:6000/x", "trackerPath"],
      ["localhost:6000?", "trackerQuery"],
      ["localhost:6000?tok=a", "trackerQuery"],
      ["localhost:6000?token=", "trackerQuery"],
      ["localhost:6000?token=a&b=c", "trackerQuery"],
    ];
    for (const [text, problem] of bad) {
      it(`refuses ${JSON.stringify(text.slice(0, 30))}: ${problem}`, () =>
        assert.equal(validateTracker(text), problem));
    }
    it("refuses a tracker that stands before it, however it is written", () => {
      for (const again of ["localhost:6000", "LOCALHOST:6000", "ws://localhost:6000/", "localhost:6000?token=x"]) {
        assert.equal(validateTracker(again, ["other:1", "localhost:6000"]), "trackerRepeated");
      }
      assert.equal(validateTracker("wss://a", ["wss://a:443"]), "trackerRepeated");
      assert.equal(validateTracker("localhost:6001", ["localhost:6000"]), undefined);
      assert.equal(validateTracker("wss://localhost:6000", ["localhost:6000"]), undefined);
    });
    it("accepts nothing that the engine refuses", () => {
      const part = fc.constantFrom(
        ...[
          "ws",
          "wss",
          "://",
          ":",
          "/",
          "?",
          "#",
          "@",
          "[",
          "]",
          "::1",
          "token=",
          "a",
          "é",
          "%",
          "\\",
          "0",
          "6000",
          ".",
          "-",
          "&",
        ],
      );
      const pieces = fc.array(part, { maxLength: 9 }).map((list) => list.join(""));
      const host = fc.oneof(
        fc.domain(),
        fc.ipV4(),
        fc.ipV6().map((ip) => `[${ip}]`),
      );
      const wellFormed = fc
        .tuple(
          fc.constantFrom("", "ws://", "wss://"),
          host,
          fc.nat(70_000),
          fc.constantFrom("", "/", "?token=a", "/?token=b"),
        )
        .map(([scheme, name, port, rest]) => `${scheme}${name}:${port}${rest}`);
      fc.assert(
        fc.property(fc.oneof(pieces, wellFormed, fc.string()), (text) => {
          if (validateTracker(text) === undefined) parseTrackerAddress(text);
        }),
        { numRuns: 2_000 },
      );
    });
    it("takes two addresses for the same tracker exactly where the engine does", () => {
      const address = fc
        .tuple(
          fc.constantFrom("", "ws://", "wss://"),
          fc.constantFrom("a", "A", "b"),
          fc.constantFrom(":80", ":443", ":6000"),
        )
        .map((parts) => parts.join(""));
      fc.assert(
        fc.property(address, address, (one, two) => {
          const same = parseTrackerAddress(one).canonical === parseTrackerAddress(two).canonical;
          assert.equal(validateTracker(two, [one]) === "trackerRepeated", same);
        }),
      );
    });
  });

  describe("the whole form", () => {
    const valid = { peerId: "alice", port: String(DEFAULT_PORT), trackers: [DEFAULT_TRACKER] };

    it("becomes a draft when every field is valid", () => {
      assert.deepEqual(toProfileDraft(valid, []), { peerId: "alice", port: 5000, trackers: ["localhost:6000"] });
    });
    it("names the problem of each field", () => {
      const text = { peerId: "bob", port: "0", trackers: ["a:1", "b", "a:1"] };
      assert.deepEqual(validateProfile(text, ["Bob"]), {
        peerId: "peerIdUsed",
        port: "portOutOfRange",
        trackers: [undefined, "trackerPortMissing", "trackerRepeated"],
      });
      assert.equal(toProfileDraft(text, ["Bob"]), undefined);
    });
    it("needs a tracker, and has a bound for them", () => {
      const many = (count: number) => Array.from({ length: count }, (_, index) => `tracker${index}:6000`);
      assert.equal(toProfileDraft({ ...valid, trackers: [] }, []), undefined);
      assert.ok(toProfileDraft({ ...valid, trackers: many(MAX_TRACKERS) }, []));
      assert.equal(toProfileDraft({ ...valid, trackers: many(MAX_TRACKERS + 1) }, []), undefined);
    });
    it("takes off the blanks around pasted text", () => {
      assert.deepEqual(trimProfile({ peerId: " alice\n", port: "\t5000 ", trackers: [" localhost:6000 "] }), valid);
    });
  });
});
