import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import type { HostPort } from "../../src/peer/net/addresses";
import { Contacts } from "../../src/peer/social/contacts";
import { FriendLinks } from "../../src/peer/social/friendLinks";
import type { Fingerprint } from "../../src/wire/types";
import { FakeClock } from "../helpers/fakeClock";
import { tempDir } from "../helpers/tempDir";

const key = (n: number) => createHash("sha256").update(`friend ${n}`).digest("hex") as Fingerprint;
const MINUTE_MS = 60_000;

describe("the connections to friends", () => {
  let clock: FakeClock;
  let contacts: Contacts;
  let links: FriendLinks;
  let dialled: { port: number; at: number }[];
  let connected: Set<Fingerprint>;
  let answer: (address: HostPort, expected: Fingerprint) => Promise<void>;

  beforeEach(async () => {
    clock = new FakeClock();
    contacts = await Contacts.open(tempDir("links"), key(0));
    dialled = [];
    connected = new Set();
    answer = () => Promise.reject(new Error("nobody"));
    links = new FriendLinks({
      clock,
      wallClock: () => clock.now(),
      contacts,
      awaited: () => [],
      noteName: () => undefined,
      isConnected: (fingerprint) => connected.has(fingerprint),
      dial: (address, expected) => {
        dialled.push({ port: address.port, at: clock.now() });
        return answer(address, expected);
      },
      changed: () => undefined,
    });
  });
  afterEach(() => links.stop());

  /** Time passes in small steps, so that what is waited for happens in between. */
  async function pass(ms: number): Promise<void> {
    for (let at = 0; at < ms; at += 500) {
      clock.advance(500);
      await new Promise((resolve) => setImmediate(resolve));
    }
  }

  it("are tried at once and then ever less often, down to once a minute", async () => {
    await contacts.addFriend({ fingerprint: key(1), host: "192.0.2.1", port: 5001 });
    links.lookSoon();
    await pass(4_000);
    assert.ok(dialled.length >= 2 && dialled[0]!.at < 2_000, JSON.stringify(dialled));
    await pass(10 * MINUTE_MS);
    const late = dialled.filter(({ at }) => at > 5 * MINUTE_MS);
    assert.ok(late.length >= 4 && late.length <= 7, `${late.length} in five minutes`);
  });

  it("go to friends only: nobody who is blocked, has no address, or is connected already is dialled", async () => {
    await contacts.addFriend({ fingerprint: key(1) });
    await contacts.addFriend({ fingerprint: key(2), host: "192.0.2.2", port: 5002 });
    await contacts.addFriend({ fingerprint: key(3), host: "192.0.2.3", port: 5003 });
    await contacts.block(key(3));
    connected.add(key(2));
    links.lookSoon();
    await pass(2 * MINUTE_MS);
    assert.deepEqual(dialled, []);
  });

  it("do not come back every second to somebody who hangs up at once", async () => {
    await contacts.addFriend({ fingerprint: key(1), host: "192.0.2.1", port: 5001 });
    answer = async () => {
      connected.add(key(1));
      clock.after(100, () => {
        connected.delete(key(1));
        links.onClosed(key(1));
      });
    };
    links.lookSoon();
    await pass(5 * MINUTE_MS);
    assert.ok(dialled.length <= 12, `${dialled.length} in five minutes`);
  });

  it("are back within seconds when one is lost that has held", async () => {
    await contacts.addFriend({ fingerprint: key(1), host: "192.0.2.1", port: 5001 });
    answer = async () => {
      connected.add(key(1));
    };
    links.lookSoon();
    await pass(MINUTE_MS);
    assert.equal(dialled.length, 1);
    connected.delete(key(1));
    links.onClosed(key(1));
    await pass(4_000);
    assert.equal(dialled.length, 2);
  });

  it("are at most eight attempts at a time", async () => {
    let open = 0;
    let most = 0;
    answer = () => {
      most = Math.max(most, ++open);
      return new Promise((_, reject) => {
        clock.after(5_000, () => {
          open--;
          reject(new Error("nobody"));
        });
      });
    };
    for (let n = 1; n <= 30; n++) await contacts.addFriend({ fingerprint: key(n), host: "192.0.2.9", port: 5000 + n });
    links.lookSoon();
    await pass(2 * MINUTE_MS);
    assert.equal(most, 8);
    assert.equal(new Set(dialled.map(({ port }) => port)).size, 30);
  });
});
