import assert from "node:assert/strict";
import { clientName } from "../../src/wire/clientName";

const id = (text: string) => Buffer.from(text.padEnd(20, "\u00ff"), "latin1");

describe("Names of other programs", () => {
  it("are those of the extended handshake, where it has one", () => {
    assert.equal(clientName("Streamlet 0.1", id("-TR4060-")), "Streamlet 0.1");
  });

  it("are read from the peer id, where it follows a convention", () => {
    assert.equal(clientName(undefined, id("-TR4060-")), "Transmission 4.0.6");
    assert.equal(clientName("", id("-LT20A0-")), "libtorrent 2.0.10");
    assert.equal(clientName(undefined, id("-qB4500-")), "qBittorrent 4.5");
    assert.equal(clientName(undefined, id("-ZZ1000-")), "ZZ 1.0");
    assert.equal(clientName(undefined, id("A2-1-36-0-")), "aria2 1.36.0");
  });

  it("are unknown otherwise, and never what a stranger wants to be printed", () => {
    assert.equal(clientName(undefined, undefined), "");
    assert.equal(clientName(undefined, id("-<b1234-")), "");
    assert.equal(clientName(undefined, id("\u202e evil \u0007")), "");
    assert.equal(clientName(undefined, Buffer.alloc(0)), "");
  });
});
