import assert from "node:assert/strict";
import * as crypto from "node:crypto";
import fc from "fast-check";
import { fingerprintOf, formatFingerprint, parseFingerprint, shortFingerprint } from "../../src/wire/fingerprint";
import type { Fingerprint } from "../../src/wire/types";
import { BUSY_MACHINE_MS, makeKey, throwsCode } from "./support";

const anyFingerprint = fc
  .uint8Array({ minLength: 32, maxLength: 32 })
  .map((bytes) => Buffer.from(bytes).toString("hex") as Fingerprint);

const ZERO = "0".repeat(64) as Fingerprint;
const COUNTING = Buffer.from(Array.from({ length: 32 }, (_, i) => i)).toString("hex") as Fingerprint;

describe("fingerprints", function () {
  this.timeout(BUSY_MACHINE_MS);
  it("are SHA-256 of the public key", () => {
    const { spki } = makeKey();
    assert.equal(fingerprintOf(spki), crypto.createHash("sha256").update(spki).digest("hex"));
    throwsCode("invalid-argument", () => fingerprintOf(spki.subarray(1)));
    throwsCode("invalid-argument", () => fingerprintOf(new Uint8Array(91)));
  });

  it("are shown as 8 groups of 7: RFC 4648 base32 with a check character after every 13", () => {
    assert.equal(formatFingerprint(ZERO), Array(8).fill("AAAAAAA").join("-"));
    const compact = formatFingerprint(COUNTING).replaceAll("-", "");
    const data = [0, 14, 28, 42].map((at) => compact.slice(at, at + 13)).join("");
    assert.equal(data, "AAAQEAYEAUDAOCAJBIFQYDIOB4IBCEQTCQKRMFYYDENBWHA5DYPQ");
    assert.match(formatFingerprint(COUNTING), /^([A-Z2-7]{7}-){7}[A-Z2-7]{7}$/);
    assert.equal(shortFingerprint(COUNTING), "AAAQEAY");
  });

  it("have the check characters of Syncthing's scheme", () => {
    // A device id from Syncthing's own tests; the key behind it does not matter here.
    const id = "P56IOI7-MZJNU2Y-IQGDREY-DM2MGTI-MGL3BXN-PQ6W5BM-TBBZ4TJ-XZWICQ2";
    const fingerprint = parseFingerprint(id);
    assert.ok(fingerprint);
    assert.equal(formatFingerprint(fingerprint), id);
  });

  it("are read back from every form in which people write them", () => {
    fc.assert(
      fc.property(anyFingerprint, (fingerprint) => {
        const shown = formatFingerprint(fingerprint);
        for (const text of [
          shown,
          shown.toLowerCase(),
          shown.replaceAll("-", ""),
          shown.replaceAll("-", " "),
          ` ${shown}\n`,
          fingerprint,
          fingerprint.toUpperCase(),
        ]) {
          assert.equal(parseFingerprint(text), fingerprint);
        }
      }),
    );
  });

  it("are read with the digits that look like letters", () => {
    const text = formatFingerprint(COUNTING);
    assert.equal(parseFingerprint(text.replaceAll("O", "0").replaceAll("I", "1").replaceAll("B", "8")), COUNTING);
  });

  it("are refused after any single wrong character", () => {
    const text = formatFingerprint(COUNTING);
    for (let at = 0; at < text.length; at++) {
      if (text[at] === "-") continue;
      for (const char of "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567") {
        if (char === text[at]) continue;
        assert.equal(parseFingerprint(text.slice(0, at) + char + text.slice(at + 1)), undefined);
      }
    }
  });

  it("are refused cut, lengthened, with other characters, or with spare bits set", () => {
    const text = formatFingerprint(COUNTING);
    const wrong = [
      "",
      text.slice(1),
      `${text}A`,
      `${text}${text}`,
      text.replace("A", "ü"),
      "a".repeat(63),
      "g".repeat(64),
      "A".repeat(1e6),
    ];
    for (const value of wrong) assert.equal(parseFingerprint(value), undefined);
    // All zero but the last of the 260 bits: the check character is right, the value is not a fingerprint's form.
    assert.equal(parseFingerprint(`${"A".repeat(42)}${"A".repeat(12)}B7`), undefined);
    assert.equal(parseFingerprint(`${"A".repeat(42)}${"A".repeat(12)}QQ`)?.length, 64);
  });
});
