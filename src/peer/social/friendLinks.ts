/**
 * Keeps a control connection to every friend who is online, so that grants and chat flow, and opens one to everybody else for whom
 * a message waits: found through the trackers' directories
 * by fingerprint, or tried at the last known address. Whoever answers must have the friend's key.
 *
 * Keeps track of: who is listed as online, and where; when each friend may be dialled again; dials under way.
 */
import { type DirectoryPeer, MAX_DIRECTORY_ROWS, MAX_FILTER_VALUES } from "../../wire/trackerMessages";
import type { Fingerprint } from "../../wire/types";
import type { Clock } from "../clock";
import type { HostPort } from "../net/addresses";
import type { TrackerClient } from "../tracker/trackerClient";
import type { Contacts } from "./contacts";

/** Everything is looked at so often, although nothing has happened. */
const ROUND_MS = 15_000;
/** News of a directory come every second in a large network; friends may wait a little. */
const LOOK_INTERVAL_MS = 3_000;
/** Doubled with every failure: a lost connection is back at once, a friend who is away costs a packet or two a minute. */
const FIRST_RETRY_MS = 1_000;
const MAX_RETRY_MS = 60_000;
/** A connection that ends sooner counts as a failure: who hangs up at once is not called every second. */
const STABLE_MS = 10_000;
/** Dials under way at once. */
const MAX_DIALS = 8;

export interface FriendLinksHost {
  readonly clock: Clock;
  /** Milliseconds since the epoch. */
  wallClock(): number;
  readonly contacts: Contacts;
  /** For whom messages wait, friends or not. */
  awaited(): Fingerprint[];
  isConnected(fingerprint: Fingerprint): boolean;
  /** Opens a control connection; rejects where nobody, or somebody else, answers. */
  dial(address: HostPort, expected: Fingerprint): Promise<unknown>;
  /** What a tracker calls somebody. */
  noteName(fingerprint: Fingerprint, peerId: string): void;
  changed(): void;
}

interface Attempt {
  failures: number;
  /** By the clock of the host. */
  nextAt: number;
  dialing: boolean;
  /** Where the friend was to be found at the last attempt. */
  addresses: string;
  openedAt?: number;
}

interface Directory {
  client: TrackerClient;
  listed: ReadonlyMap<Fingerprint, DirectoryPeer>;
  unsubscribe: (() => void)[];
}

export class FriendLinks {
  private readonly directories = new Set<Directory>();
  private readonly attempts = new Map<Fingerprint, Attempt>();
  private readonly stopRounds: () => void;
  private cancelLook: (() => void) | undefined;
  private lookedAt = Number.NEGATIVE_INFINITY;
  private readonly underWay = new Set<Promise<void>>();
  private stopped = false;

  constructor(private readonly host: FriendLinksHost) {
    this.stopRounds = host.clock.every(ROUND_MS, () => this.lookSoon());
  }

  addTracker(client: TrackerClient): void {
    const directory: Directory = { client, listed: new Map(), unsubscribe: [] };
    directory.unsubscribe.push(
      client.onDidChangeDirectory(() => this.lookSoon()),
      client.onDidChangeStatus(({ state }) => {
        if (state === "online") return this.lookSoon();
        directory.listed = new Map();
      }),
    );
    this.directories.add(directory);
  }

  /** Listed by some tracker; those to whom a connection is open need not be. */
  isListed(fingerprint: Fingerprint): boolean {
    return this.whereListed(fingerprint) !== undefined;
  }

  /** Somebody became a friend, or is none any more. */
  onPeopleChanged(fingerprint: Fingerprint): void {
    this.forgetFailures(fingerprint);
    this.lookSoon();
  }

  /** The control connection to somebody has ended. */
  onClosed(fingerprint: Fingerprint): void {
    const attempt = this.attempts.get(fingerprint);
    const openedAt = attempt?.openedAt ?? Number.NEGATIVE_INFINITY;
    if (attempt && !attempt.dialing && this.host.clock.now() - openedAt > STABLE_MS) this.attempts.delete(fingerprint);
    this.lookSoon();
  }

  /** Looks for all friends now: those who are online are connected when it resolves, unless that takes longer than `ms`. */
  async refresh(ms: number): Promise<void> {
    if (this.stopped || this.missing().length === 0) return;
    for (const attempt of this.attempts.values()) attempt.nextAt = 0;
    const look = async () => {
      this.dialDue();
      await this.askDirectories();
      this.dialDue();
      await Promise.all(this.underWay);
    };
    await new Promise<void>((resolve) => {
      const cancel = this.host.clock.after(ms, resolve);
      void look().then(() => {
        cancel();
        resolve();
      });
    });
  }

  /** Where trackers say that this person is, a friend or not; asked now. */
  async locate(fingerprint: Fingerprint): Promise<HostPort[]> {
    const online = [...this.directories].filter(({ client }) => client.status.state === "online");
    const answers = await Promise.all(
      online.map(({ client }) => listedOf(client, [fingerprint]).catch(() => new Map<Fingerprint, DirectoryPeer>())),
    );
    return answers.flatMap((listed) => [...listed.values()]).filter(({ port }) => port > 0);
  }

  stop(): void {
    this.stopped = true;
    this.stopRounds();
    this.cancelLook?.();
    for (const { unsubscribe } of this.directories) for (const end of unsubscribe) end();
  }

  /** One look for all that has happened in a moment. */
  lookSoon(): void {
    if (this.stopped || this.cancelLook) return;
    const wait = Math.max(0, this.lookedAt + LOOK_INTERVAL_MS - this.host.clock.now());
    this.cancelLook = this.host.clock.after(wait, () => {
      this.cancelLook = undefined;
      this.lookedAt = this.host.clock.now();
      this.dialDue(); // known addresses need not wait for the trackers
      void this.askDirectories().then(() => this.dialDue());
    });
  }

  private forgetFailures(fingerprint: Fingerprint): void {
    if (!this.attempts.get(fingerprint)?.dialing) this.attempts.delete(fingerprint);
  }

  private missing(): Fingerprint[] {
    const wanted = new Set([...this.host.contacts.friends(), ...this.host.awaited()]);
    return [...wanted].filter((fingerprint) => !this.host.isConnected(fingerprint));
  }

  /** Never rejects: a tracker that does not answer keeps what it said last. */
  private async askDirectories(): Promise<void> {
    const wanted = this.missing();
    await Promise.all(
      [...this.directories].map(async (directory) => {
        if (directory.client.status.state !== "online") return;
        const before = directory.listed;
        try {
          directory.listed = await listedOf(directory.client, wanted);
        } catch {
          return; // its status says why
        }
        // Who has just come online is not kept waiting for having been away.
        for (const fingerprint of directory.listed.keys())
          if (!before.has(fingerprint)) this.forgetFailures(fingerprint);
        for (const { fingerprint, peerId } of directory.listed.values()) this.noteListed(fingerprint, peerId);
      }),
    );
    if (!this.stopped) this.host.changed();
  }

  /** A name that only a tracker tells is taken where none is known: the friend's own word comes with the connection. */
  private noteListed(fingerprint: Fingerprint, peerId: string): void {
    const { contacts } = this.host;
    const unnamed = contacts.get(fingerprint)?.peerId === "";
    contacts.noteSeen(fingerprint, { ...(unnamed ? { peerId } : {}), at: this.host.wallClock() });
    this.host.noteName(fingerprint, peerId);
  }

  private dialDue(): void {
    if (this.stopped) return;
    const now = this.host.clock.now();
    for (const fingerprint of this.missing()) {
      if (this.underWay.size >= MAX_DIALS) return;
      const known = this.addressesOf(fingerprint);
      const attempt = this.attempts.get(fingerprint) ?? { failures: 0, nextAt: 0, dialing: false, addresses: "" };
      const address = known[attempt.failures % known.length];
      const addresses = JSON.stringify(known);
      if (!address || attempt.dialing || (now < attempt.nextAt && attempt.addresses === addresses)) continue;
      attempt.addresses = addresses;
      this.attempts.set(fingerprint, attempt);
      const dial = this.dial(fingerprint, address, attempt);
      this.underWay.add(dial);
      void dial.then(() => this.underWay.delete(dial));
    }
  }

  /** Where they are listed, then where they were last. */
  private addressesOf(fingerprint: Fingerprint): HostPort[] {
    const places = [this.whereListed(fingerprint), this.host.contacts.get(fingerprint)];
    const known = places.flatMap((place) =>
      place?.host && place.port ? [{ host: place.host, port: place.port }] : [],
    );
    return known.filter((one, index) => known.findIndex((x) => x.host === one.host && x.port === one.port) === index);
  }

  private whereListed(fingerprint: Fingerprint): DirectoryPeer | undefined {
    for (const { listed } of this.directories) {
      const peer = listed.get(fingerprint);
      if (peer) return peer;
    }
    return undefined;
  }

  private async dial(fingerprint: Fingerprint, address: HostPort, attempt: Attempt): Promise<void> {
    attempt.dialing = true;
    await this.host.dial(address, fingerprint).then(
      () => {
        attempt.openedAt = this.host.clock.now();
      },
      () => undefined, // not there, or somebody else: tried again later
    );
    attempt.dialing = false;
    const delay = Math.min(MAX_RETRY_MS, FIRST_RETRY_MS * 2 ** attempt.failures);
    attempt.failures++;
    attempt.nextAt = this.host.clock.now() + delay;
    if (this.stopped) return;
    this.host.clock.after(delay + 1, () => this.dialDue());
  }
}

/** Errors: as TrackerClient.directory. */
async function listedOf(
  client: TrackerClient,
  wanted: readonly Fingerprint[],
): Promise<ReadonlyMap<Fingerprint, DirectoryPeer>> {
  const listed = new Map<Fingerprint, DirectoryPeer>();
  const asked = new Set(wanted);
  for (let next = 0; next < wanted.length; next += MAX_FILTER_VALUES) {
    const fingerprints = wanted.slice(next, next + MAX_FILTER_VALUES);
    const { peers } = await client.directory({ fingerprints, limit: MAX_DIRECTORY_ROWS });
    for (const peer of peers) if (asked.has(peer.fingerprint)) listed.set(peer.fingerprint, peer);
  }
  return listed;
}
