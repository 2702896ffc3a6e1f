import assert from "node:assert/strict";
import { HeldGrants } from "../../src/peer/social/grants";
import { signGrant } from "../../src/wire/records";
import { makeIdentity, type TestIdentity, videoId } from "../tracker/support";

const self = makeIdentity();

function grantBy(owner: TestIdentity, video: number): Uint8Array {
  const expires = Date.now() + 3_600_000;
  return signGrant({ id: videoId(video), grantee: self.fingerprint, expires }, owner.privateKey, owner.spki);
}

describe("The grants that somebody holds", function () {
  this.timeout(20_000);

  it("are not pushed out by a stranger who makes out thousands", () => {
    const [friend, stranger] = [makeIdentity(), makeIdentity()];
    const grants = new HeldGrants(self.fingerprint, Date.now);
    assert.ok(grants.take(grantBy(friend, 0), friend.fingerprint));
    for (let video = 0; video < 2_001; video++) grants.take(grantBy(stranger, video), stranger.fingerprint);
    assert.ok(grants.get(friend.fingerprint, videoId(0)));
    assert.equal(grants.get(stranger.fingerprint, videoId(0)), undefined);
    assert.ok(grants.get(stranger.fingerprint, videoId(1)));
    assert.ok(grants.get(stranger.fingerprint, videoId(2_000)));
  });
});
