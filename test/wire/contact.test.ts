import assert from "node:assert/strict";
import { formatContact, parseContact } from "../../src/wire/contact";
import { formatFingerprint } from "../../src/wire/fingerprint";
import type { Fingerprint } from "../../src/wire/types";

const fingerprint = "ab".repeat(32) as Fingerprint;
const shown = formatFingerprint(fingerprint);

describe("contact", () => {
  it("comes back as it was written, with and without an address", () => {
    for (const contact of [
      { fingerprint },
      { fingerprint, host: "192.168.1.5", port: 5000 },
      { fingerprint, host: "fe80::1", port: 1 },
      { fingerprint, host: "nas.example", port: 65_535 },
    ]) {
      assert.deepEqual(parseContact(formatContact(contact)), contact);
    }
  });

  it("takes hex, lower case and blanks around it", () => {
    assert.deepEqual(parseContact(` ${fingerprint} `), { fingerprint });
    assert.deepEqual(parseContact(`${shown.toLowerCase()}@h:1`), { fingerprint, host: "h", port: 1 });
  });

  it("refuses what is none", () => {
    const typo = `${shown[0] === "A" ? "B" : "A"}${shown.slice(1)}`;
    for (const text of [
      "",
      "bob",
      typo,
      `${shown}@`,
      `${shown}@host`,
      `${shown}@host:0`,
      `${shown}@host:65536`,
      `${shown}@a b:1`,
      `${shown}@[::1:5`,
      `${shown}@x@y:1`,
      "a".repeat(100_000),
    ]) {
      assert.throws(() => parseContact(text), { code: "invalid-argument" }, text.slice(0, 100));
    }
  });
});
