/** The decisions of a tracker as pure functions over plain values. */
import type { Fingerprint } from "../src/wire/types";
import { NAME_LAPSE_MS } from "./limits";
import type { NameEntry, PutOutcome, StoredRecord } from "./store";

/** The first key keeps a name until it was unseen for `NAME_LAPSE_MS`. */
export function judgeName(
  held: NameEntry | undefined,
  claimant: Fingerprint | undefined,
  now: number,
  holderIsOnline: boolean,
): "granted" | "renewed" | "taken" {
  if (!held) return "granted";
  if (held.owner === claimant) return "renewed";
  return holderIsOnline || now - held.lastSeen < NAME_LAPSE_MS ? "taken" : "granted";
}

/** What is true of a record that is to be put beside the one that is known by its key. */
export function judgeRecord(
  known: Pick<StoredRecord, "sequence" | "bytes"> | undefined,
  incoming: Pick<StoredRecord, "sequence" | "bytes">,
): Extract<PutOutcome, { kind: "stored" | "same" | "older" }> {
  if (!known || incoming.sequence > known.sequence) return { kind: "stored" };
  const same = incoming.sequence === known.sequence && Buffer.compare(incoming.bytes, known.bytes) === 0;
  return same ? { kind: "same" } : { kind: "older", newest: known.sequence };
}

/** A withdrawal is kept until nothing that it withdraws can be valid any more. */
export function withdrawalExpiry(known: Pick<StoredRecord, "expires"> | undefined, incoming: StoredRecord): number {
  return incoming.withdrawn ? Math.max(incoming.expires, known?.expires ?? 0) : incoming.expires;
}

/** Listed: valid, and its owner's session stands behind it or somebody holds it. */
export function isListed(record: StoredRecord, published: boolean, sources: number, now: number): boolean {
  return !record.withdrawn && record.expires > now && (published || sources > 0);
}

const LOOPBACK = /^(?:127\.|::1$|localhost$|.*\.localhost$)/i;

export function isLoopback(host: string): boolean {
  return LOOPBACK.test(host);
}

/** `::ffff:1.2.3.4` is 1.2.3.4 through a dual-stack socket; a zone (`%eth0`) means something on this machine only. */
export function plainAddress(observed: string | undefined): string {
  const address = (observed ?? "").replace(/%.*$/, "");
  return /^::ffff:(\d+\.\d+\.\d+\.\d+)$/i.exec(address)?.[1] ?? address;
}

/** What limits count by: an IPv4 address, or the first four groups of an IPv6 address. */
export function addressKey(address: string): string {
  if (!address.includes(":")) return address;
  const [head = "", tail] = address.split("::", 2) as [string, string?];
  const groups = head === "" ? [] : head.split(":");
  if (tail !== undefined) {
    const after = tail === "" ? [] : tail.split(":");
    while (groups.length + after.length < 8) groups.push("0");
    groups.push(...after);
  }
  return `${groups.slice(0, 4).join(":")}::/64`;
}

export interface Asker {
  /** As the tracker sees it. */
  host: string;
  /** The tracker as the asker dialled it, without port. */
  dialledHost: string;
  /** The tracker's end of the asker's connection. */
  localHost: string;
}

/**
 * Under which address one peer finds another. A peer that the tracker sees on its own loopback is on the tracker's machine:
 * others there use 127.0.0.1, everyone else the address by which they reached that machine.
 */
export function hostFor(observed: string, asker: Asker): string {
  if (!isLoopback(observed)) return observed;
  if (isLoopback(asker.host)) return "127.0.0.1";
  return isLoopback(asker.dialledHost) ? asker.localHost : asker.dialledHost;
}
