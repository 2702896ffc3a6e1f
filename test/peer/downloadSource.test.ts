import assert from "node:assert/strict";
import { readDownloadSource } from "../../src/peer/downloadSource";
import { parseRecord, type RecordFields } from "../../src/wire/records";
import { makeIdentity, makeRecord, type TestIdentity, videoId } from "../tracker/support";

const [alice, friend, stranger] = [makeIdentity(), makeIdentity(), makeIdentity()];
const ID = videoId(1);

function record(owner: TestIdentity, change: Partial<RecordFields>) {
  return parseRecord(makeRecord(owner, 1, change), { now: Date.now() });
}

async function chosenOwner(...records: ReturnType<typeof record>[]): Promise<string> {
  const spec = await readDownloadSource(ID, {
    recordsOf: async () => records,
    recordsFromOwner: async () => [],
    isFriend: (fingerprint) => fingerprint === friend.fingerprint,
  });
  return spec.ownerFingerprint;
}

describe("A video that several people claim", () => {
  const open = record(alice, { audience: "public", sequence: 1 });

  it("is a friend's where it is for friends: nobody else's claim makes it one for everybody", async () => {
    assert.equal(await chosenOwner(open, record(friend, { audience: "friends" })), friend.fingerprint);
  });

  it("is not taken away from everybody by a stranger who claims it for friends, however new that is", async () => {
    const claim = record(stranger, { audience: "friends", sequence: 1_000_000 });
    assert.equal(await chosenOwner(claim, open), alice.fingerprint);
    assert.equal(await chosenOwner(claim), stranger.fingerprint);
  });
});
