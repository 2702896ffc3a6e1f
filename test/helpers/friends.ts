/** Friends for tests: who they are, and whole sessions that have met. */
import { type Identity, loadIdentity } from "../../src/peer/identity";
import type { NetworkVideo } from "../../src/peer/status";
import { formatContact } from "../../src/wire/contact";
import { signGrant } from "../../src/wire/records";
import type { Fingerprint, VideoId } from "../../src/wire/types";
import { portOf, snapshotWhere, type TestPeer } from "./sessions";
import { LOOPBACK } from "./sockets";
import { answerWhere } from "./until";

export async function fingerprintOf(peer: TestPeer): Promise<Fingerprint> {
  return (await peer.session.snapshot()).peer.fingerprint as Fingerprint;
}

export function identityOf(peer: TestPeer): Promise<Identity> {
  return loadIdentity(peer.config.privateKey);
}

const HOUR_MS = 3_600_000;

/** Leave to have a video, as its owner gives it. */
export function grantOf(owner: Identity, id: string, grantee: string, expires = Date.now() + HOUR_MS): Uint8Array {
  return signGrant({ id: id as VideoId, grantee: grantee as Fingerprint, expires }, owner.privateKey, owner.spki);
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

/** What the Network view shows. */
export async function networkOf({ session }: TestPeer): Promise<NetworkVideo[]> {
  return (await session.queryNetwork({ limit: 200 })).videos;
}

/** Asks everybody, and until the list fits. */
export function networkWhere(
  peer: TestPeer,
  what: string,
  fits: (videos: NetworkVideo[]) => boolean,
): Promise<NetworkVideo[]> {
  const ask = async () => {
    await peer.session.refresh();
    return networkOf(peer);
  };
  return answerWhere(what, ask, fits);
}
