/** Friends for tests: who they are, and whole sessions that have met. */
import assert from "node:assert/strict";
import type { NetworkVideo } from "../../src/peer/status";
import { formatContact } from "../../src/wire/contact";
import type { Fingerprint } from "../../src/wire/types";
import { portOf, snapshotWhere, type TestPeer } from "./sessions";
import { LOOPBACK } from "./sockets";

export async function fingerprintOf(peer: TestPeer): Promise<Fingerprint> {
  return (await peer.session.snapshot()).peer.fingerprint as Fingerprint;
}

export async function contactOf(peer: TestPeer): Promise<string> {
  return formatContact({ fingerprint: await fingerprintOf(peer), host: LOOPBACK, port: await portOf(peer) });
}

/** Both pin each other; resolves when both are connected. */
export async function befriend(one: TestPeer, other: TestPeer): Promise<void> {
  await one.session.addFriend(await contactOf(other));
  await other.session.addFriend(await contactOf(one));
  await connectedTo(one, other);
  await connectedTo(other, one);
}

export async function connectedTo(peer: TestPeer, other: TestPeer): Promise<void> {
  const fingerprint = await fingerprintOf(other);
  await snapshotWhere(
    peer,
    `${peer.config.peerId} is connected to ${other.config.peerId}`,
    (s) => s.contacts.some((c) => c.fingerprint === fingerprint && c.connected),
    20_000,
  );
}

/** Asks until the list fits, as the views do on every change. */
export async function networkWhere(
  peer: TestPeer,
  what: string,
  fits: (videos: NetworkVideo[]) => boolean,
): Promise<NetworkVideo[]> {
  const deadline = performance.now() + 12_000;
  for (;;) {
    await peer.session.refresh();
    const { videos } = await peer.session.queryNetwork({ limit: 200 });
    if (fits(videos)) return videos;
    assert.ok(performance.now() < deadline, `never happened: ${what}; last: ${JSON.stringify(videos)}`);
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
}
