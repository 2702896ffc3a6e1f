/** A peer that runs: everything between `start` and `stop`. It only wires; what happens is decided by the parts. */
import { randomBytes } from "node:crypto";
import { join } from "node:path";
import type { Duplex } from "node:stream";
import type { PeerConfig } from "../rpc/peerService";
import { WIRE_PEER_ID_BYTES, WIRE_PEER_ID_PREFIX } from "../wire/constants";
import { StreamletError } from "../wire/errors";
import { haystackOf, matchesWords, queryWords } from "../wire/search";
import type { Fingerprint } from "../wire/types";
import { systemClock } from "./clock";
import { Downloads } from "./downloads";
import type { Engine } from "./engine";
import { type Identity, loadIdentity } from "./identity";
import { KnownSources } from "./knownSources";
import { DISCONNECTED, ManualPeers } from "./manualPeers";
import { type HostPort, localAddresses } from "./net/addresses";
import {
  type CatalogAnswer,
  type CatalogQuery,
  ControlConnection,
  type ControlOptions,
  type ControlPeer,
} from "./net/controlConnection";
import { IncomingLog } from "./net/incomingLog";
import { Listener, type RemoteIdentity } from "./net/listener";
import { dialPlain, dialTls } from "./net/tlsTransport";
import { PeerFinder } from "./peerFinder";
import { PeerLimits } from "./peerLimits";
import { Publisher } from "./publisher";
import { Chat } from "./social/chat";
import { ChatStore } from "./social/chatStore";
import { Circle } from "./social/circle";
import { Contacts, type People } from "./social/contacts";
import { FriendLinks } from "./social/friendLinks";
import { GrantKeeper } from "./social/grantKeeper";
import { GrantIssuer, HeldGrants } from "./social/grants";
import type { Audience, PeerStatus } from "./status";
import { FolderLock } from "./storage/folderLock";
import { Library } from "./storage/library";
import { Verifier } from "./storage/verifier";
import { Gateway } from "./stream/gateway";
import { PlaybackStore } from "./stream/playback";
import type { KnownPeer } from "./swarm/peerList";
import { Catalog } from "./tracker/catalog";
import { TrackerClient } from "./tracker/trackerClient";
import { Uploads } from "./uploads";
import { VideoRuntime } from "./videoRuntime";
import { WireDoor } from "./wireDoor";

/** Records are renewed at half their life; looking once in ten minutes is soon enough, and missing files are noticed. */
const HOUSEKEEPING_MS = 10 * 60_000;
/** A changed network shows within so long. */
const ADDRESSES_MS = 10_000;
const SLEEP_CHECK_MS = 30_000;
const SHARING_DELAY_MS = 50;
/** Who restarts is back in seconds; an address where nobody listens costs one packet a round. */
const MANUAL_RETRY_MS = 5_000;
const LOOPBACK = /^(127\.|::1$)/;

export class RunningPeer implements Engine {
  readonly clock = systemClock;
  readonly random = Math.random;
  readonly peerId20 = Buffer.concat([
    Buffer.from(WIRE_PEER_ID_PREFIX, "latin1"),
    randomBytes(WIRE_PEER_ID_BYTES - WIRE_PEER_ID_PREFIX.length),
  ]);
  readonly peerId: string;
  readonly verifier = new Verifier();
  readonly runtimes = new Map<string, VideoRuntime>();
  readonly limits: PeerLimits;
  readonly people: People;
  readonly controls = new Map<Fingerprint, ControlConnection>();
  readonly trackers: TrackerClient[] = [];
  readonly catalog: Catalog;
  readonly gateway = new Gateway(() => this.uploads.ffmpeg);
  readonly knownSources: KnownSources;
  readonly circle: Circle;
  readonly grants: HeldGrants;
  readonly grantKeeper: GrantKeeper;
  private readonly grantIssuer: GrantIssuer;
  readonly friendLinks: FriendLinks;
  readonly uploads: Uploads;
  readonly downloads = new Downloads(this);
  readonly manual: ManualPeers;
  /** Since the start. */
  readonly incoming = new IncomingLog((host) => LOOPBACK.test(host) || this.addresses().includes(host));
  readonly chat: Chat;
  private readonly door = new WireDoor({ find: (hash) => this.findByHash(hash), wallClock: () => this.wallClock() });
  private readonly publisher: Publisher;
  private readonly finder: PeerFinder;
  private readonly timers: (() => void)[] = [];
  private port = 0;
  private sharingTimer: (() => void) | undefined;
  private stopped = false;

  private constructor(
    readonly config: PeerConfig,
    readonly identity: Identity,
    readonly library: Library,
    readonly contacts: Contacts,
    readonly playback: PlaybackStore,
    chats: ChatStore,
    private readonly lock: FolderLock,
    readonly onChange: () => void,
  ) {
    this.peerId = config.peerId;
    this.limits = new PeerLimits(this.clock, config, () => this.runtimes.values());
    this.people = contacts;
    this.friendLinks = new FriendLinks({
      clock: this.clock,
      wallClock: () => this.wallClock(),
      contacts,
      awaited: () => this.chat.awaited(),
      isConnected: (fingerprint) => this.controls.has(fingerprint),
      noteName: (fingerprint, peerId) => this.chat.noteName(fingerprint, peerId),
      dial: (address, expected) => this.dialControl(address, expected),
      changed: () => this.changed(),
    });
    this.circle = new Circle(contacts, {
      wallClock: () => this.wallClock(),
      control: (fingerprint) => this.controls.get(fingerprint),
      isListed: (fingerprint) => this.friendLinks.isListed(fingerprint),
      onPeopleChanged: (fingerprint) => this.onPeopleChanged(fingerprint),
    });
    contacts.onDidChange(() => this.changed());
    this.grantIssuer = new GrantIssuer(identity, () => this.wallClock());
    this.grants = new HeldGrants(
      identity.fingerprint,
      () => this.wallClock(),
      (held) => this.grantKeeper.onGrant(held),
    );
    this.catalog = new Catalog({
      people: contacts,
      grants: this.grants,
      onRecord: (record) => this.grantKeeper.onRecord(record),
      isSecret: (id) => library.findById(id)?.audience === "friends",
      self: {
        peerId: config.peerId,
        fingerprint: identity.fingerprint,
        host: () => this.ownHosts()[0]!,
        port: () => this.port,
      },
      libraryKeyOf: (id) => library.findById(id)?.key,
    });
    this.knownSources = new KnownSources(this.clock, this.trackers);
    this.grantKeeper = new GrantKeeper({
      clock: this.clock,
      wallClock: () => this.wallClock(),
      self: identity.fingerprint,
      library,
      grants: this.grants,
      catalog: this.catalog,
      controls: () => this.controls.values(),
      runtime: (key) => this.runtimes.get(key),
      dial: (address, expected) => this.dialControl(address, expected),
      locate: (fingerprint) => this.friendLinks.locate(fingerprint),
      sharingChanged: () => this.sharingChanged(),
    });
    this.grantKeeper.open();
    this.publisher = new Publisher(this, this.catalog, this.trackers, () => this.runtimes.values());
    this.finder = new PeerFinder({
      clock: this.clock,
      self: identity.fingerprint,
      trackers: this.trackers,
      trackerAddresses: config.trackers,
      controls: () => this.controls.values(),
      runtimes: () => this.runtimes.values(),
      makeTracker: (address) => this.makeTracker(address),
    });
    this.manual = new ManualPeers(
      {
        dial: (address, expected) => this.dialControl(address, expected),
        isConnected: (fingerprint) => this.controls.has(fingerprint),
        close: (fingerprint) => this.controls.get(fingerprint)?.close(DISCONNECTED),
        changed: () => this.changed(),
      },
      config.connect ?? [],
    );
    this.chat = new Chat(
      {
        clock: this.clock,
        self: identity.fingerprint,
        wallClock: () => this.wallClock(),
        people: contacts,
        linkTo: (fingerprint) => this.controls.get(fingerprint),
        seek: () => this.friendLinks.lookSoon(),
      },
      chats,
    );
    this.uploads = new Uploads(this, config, this.runtimes, (...sharing) => this.setSharing(...sharing));
  }

  /** Errors: see PeerService.start. */
  static async start(config: PeerConfig, onChange: () => void): Promise<RunningPeer> {
    const identity = await loadIdentity(config.privateKey);
    const lock = await FolderLock.acquire(config.dataDir);
    let peer: RunningPeer | undefined;
    try {
      const library = await Library.open(config.dataDir, { onError: () => onChange() });
      const contacts = await Contacts.open(config.dataDir, identity.fingerprint);
      const chats = await ChatStore.open(config.dataDir, () => onChange());
      const playback = await PlaybackStore.open(join(config.dataDir, "playback.json"));
      peer = new RunningPeer(config, identity, library, contacts, playback, chats, lock, onChange);
      await peer.listen();
      peer.connectTrackers();
      await peer.openVideos();
      return peer;
    } catch (error) {
      if (peer) await peer.stop();
      else await lock.release();
      throw error;
    }
  }
  private listener: Listener | undefined;

  async stop(): Promise<void> {
    if (this.stopped) return;
    this.stopped = true;
    this.stopSignal.abort();
    for (const cancel of this.timers) cancel();
    this.limits.swarms.close();
    this.sharingTimer?.();
    this.friendLinks.stop();
    this.grantKeeper.stop();
    const goodbyes = [...this.trackers.map((tracker) => tracker.stop()), this.finder.stop()];
    for (const control of this.controls.values()) control.close("stopped");
    await Promise.all([this.uploads.close(), this.gateway.stop()]);
    await Promise.all([...this.runtimes.values()].map((runtime) => runtime.close()));
    await Promise.all([...goodbyes, this.listener?.close(), this.verifier.close()]);
    this.catalog.dispose();
    await Promise.all([this.library.close(), this.contacts.close(), this.chat.close(), this.playback.close()]);
    await this.lock.release();
  }

  status(): PeerStatus {
    let downRate = 0;
    let upRate = 0;
    let connections = 0;
    for (const { swarm } of this.runtimes.values()) {
      if (!swarm) continue;
      downRate += swarm.down.rate();
      upRate += swarm.up.rate();
      connections += swarm.connectionCount;
    }
    return {
      state: "running",
      peerId: this.peerId,
      fingerprint: this.identity.fingerprint,
      port: this.port,
      addresses: this.ownHosts(),
      trackers: this.trackers.map((tracker) => tracker.status),
      downRate,
      upRate,
      connections,
      obtainedBytes: this.limits.obtained(),
    };
  }

  /** Asking the system for its interfaces costs more than all the rest of a snapshot. */
  private addresses(): string[] {
    const now = this.clock.now();
    if (!this.knownAddresses || now - this.knownAddresses.at > ADDRESSES_MS) {
      this.knownAddresses = { at: now, list: localAddresses() };
    }
    return this.knownAddresses.list;
  }
  private knownAddresses: { at: number; list: string[] } | undefined;

  /** Where others may reach this peer: the one address that it listens on, or all of this machine's. Never empty. */
  ownHosts(): string[] {
    const { host } = this.config;
    if (host && !/^(0\.0\.0\.0|::)$/.test(host)) return [host];
    const all = this.addresses();
    return all.length > 0 ? all : ["127.0.0.1"];
  }

  /** A new entry of the library begins to live. */
  adopt(key: string): VideoRuntime {
    const runtime = new VideoRuntime(key, this);
    this.runtimes.set(key, runtime);
    return runtime;
  }

  /** Errors: unknown-video, not-running. */
  runtime(key: string): VideoRuntime {
    this.assertRunning();
    const runtime = this.runtimes.get(key);
    if (!runtime) throw new StreamletError("unknown-video", "This video is not in the library any more.");
    return runtime;
  }

  /** For whoever has waited for something meanwhile. Errors: not-running. */
  assertRunning(): void {
    if (this.stopped) throw notRunning();
  }

  invalidateRecord(key: string): void {
    this.publisher.invalidate(key);
    this.sharingChanged();
  }

  withdraw(runtime: VideoRuntime): void {
    this.publisher.withdraw(runtime.entry);
  }

  /** Who may have it: takes effect at once, on open connections too. Errors: invalid-argument (somebody else's video). */
  setSharing(runtime: VideoRuntime, shared: boolean, audience: Audience): void {
    const { entry } = runtime;
    if (entry.origin === "obtained" && shared && audience !== entry.audience) {
      throw new StreamletError("invalid-argument", "Only its owner can change who may have a video.");
    }
    const narrower = !shared || audience === "friends";
    if (narrower && entry.shared) this.withdraw(runtime);
    const changed = entry.shared !== shared || entry.audience !== audience;
    this.library.update(runtime.key, { shared, audience, ...(changed && entry.record ? { record: undefined } : {}) });
    runtime.onSharingChanged();
    this.sharingChanged();
    this.changed();
  }

  /** See PeerService.disconnect. */
  disconnect(fingerprint: string): void {
    this.manual.forget(fingerprint);
    this.controls.get(fingerprint as Fingerprint)?.close(DISCONNECTED);
  }

  // --- Engine -----------------------------------------------------------------------------------------------------------

  get uploadLimiter() {
    return this.limits.upload;
  }
  get downloadLimiter() {
    return this.limits.download;
  }
  get swarms() {
    return this.limits.swarms;
  }
  checkQuota(key: string | undefined, size: number): void {
    this.limits.checkQuota(key, size);
  }

  wallClock(): number {
    return Date.now();
  }
  listenPort(): number {
    return this.port;
  }
  changed(): void {
    if (!this.stopped) this.onChange();
  }

  sharingChanged(): void {
    if (this.stopped || this.sharingTimer) return;
    this.sharingTimer = this.clock.after(SHARING_DELAY_MS, () => {
      this.sharingTimer = undefined;
      this.publish();
    });
  }

  async dial(peer: KnownPeer, onread: Parameters<Engine["dial"]>[1], signal: AbortSignal): Promise<Duplex> {
    const { host, port } = peer;
    if (peer.transport === "plain") return dialPlain({ host, port, signal, onread });
    const expected = peer.fingerprint;
    const options = { host, port, signal, onread, identity: this.identity, alpn: "streamlet-wire/1" as const };
    if (expected) this.refuseBlocked(expected);
    const { socket, fingerprint } = await dialTls(expected ? { ...options, expected } : options);
    if (this.contacts.isBlocked(fingerprint)) socket.destroy();
    this.refuseBlocked(fingerprint);
    return socket;
  }

  findPeers(runtime: VideoRuntime): void {
    this.finder.find(runtime);
  }
  onDownloaded(runtime: VideoRuntime): void {
    void this.uploads.inspectDownload(runtime).catch(() => undefined); // it plays without
  }
  requestCallbacks(runtime: VideoRuntime, peers: Fingerprint[]): void {
    this.finder.requestCallbacks(runtime, peers);
  }

  private makeTracker(address: string): TrackerClient {
    return new TrackerClient({ address, identity: this.identity, peerId: this.peerId, port: () => this.port });
  }

  // --- inside -----------------------------------------------------------------------------------------------------------

  private readonly stopSignal = new AbortController();

  private async listen(): Promise<void> {
    const { config, identity } = this;
    this.listener = new Listener({
      identity,
      port: config.port,
      ...(config.host ? { host: config.host } : {}),
      onWire: (socket, remote) => {
        this.incoming.note(remote);
        void this.door.accept(socket, { ...remote, transport: "tls", incoming: true });
      },
      onPlain: (socket, remote) => {
        this.incoming.note(remote);
        void this.door.accept(socket, { ...remote, fingerprint: undefined, transport: "plain", incoming: true });
      },
      onControl: (socket, remote) => {
        this.incoming.note(remote);
        this.acceptControl(socket, remote);
      },
    });
    this.port = await this.listener.listen();
  }

  private connectTrackers(): void {
    for (const address of this.config.trackers) {
      const client = this.makeTracker(address);
      this.trackers.push(client);
      this.catalog.addTracker(client);
      this.friendLinks.addTracker(client);
      client.onDidChangeStatus(({ state }) => {
        this.onAcknowledged();
        // Downloads that were there before the tracker need not wait for their next look round.
        if (state === "online") this.finder.findForAll();
      });
      client.onDidAcknowledge(() => this.onAcknowledged());
      client.onDidRefuse((id, error) => this.onRefused(id, error));
      client.onDidRequestCallback(({ id, fingerprint, host, port }) => {
        const runtime = this.findByHash(id);
        // Who may have a video for friends asks for it without a tracker.
        if (!runtime || runtime.admission.isRestricted) return;
        if (runtime.admission.allows({ transport: "tls", fingerprint }, undefined) && port > 0) {
          void runtime.callBack({ fingerprint, host, port, transport: "tls" }).catch(() => undefined);
        }
      });
      client.start();
    }
    this.catalog.onDidChange(() => this.changed());
  }

  private async openVideos(): Promise<void> {
    const { fingerprint } = this.identity;
    for (const { key, origin, ownerFingerprint } of this.library.entries()) {
      // The profile may have got a new key: what it has uploaded is its own all the same.
      const isLeft = origin === "uploaded" && ownerFingerprint !== fingerprint;
      if (isLeft) this.library.update(key, { ownerFingerprint: fingerprint, record: undefined });
      this.adopt(key);
    }
    await this.uploads.sweep();
    const looks: Promise<void>[] = [];
    for (const runtime of this.runtimes.values()) {
      const { state } = runtime.entry;
      if (state === "hashing" || state === "optimising") this.uploads.begin(runtime);
      else looks.push(runtime.open());
    }
    await Promise.all(looks);
    this.publish();
    this.manual.retry();
    this.friendLinks.lookSoon();
    this.timers.push(
      this.clock.every(MANUAL_RETRY_MS, () => this.manual.retry()),
      this.clock.every(SLEEP_CHECK_MS, () => {
        for (const runtime of this.runtimes.values()) void runtime.sleepIfIdle().catch(() => undefined);
      }),
      this.clock.every(HOUSEKEEPING_MS, () => {
        for (const runtime of this.runtimes.values()) {
          if (runtime.entry.state === "ready") void runtime.checkFile().catch(() => undefined);
        }
        this.publish();
      }),
    );
  }

  private publish(): void {
    if (this.stopped) return;
    this.publisher.update();
    for (const control of this.controls.values()) control.notifyCatalogChanged();
    this.onAcknowledged();
  }

  private onAcknowledged(): void {
    for (const runtime of this.runtimes.values()) {
      const { id } = runtime.entry;
      runtime.publishedOn = id && runtime.isSeeding ? this.trackers.filter((t) => t.isAcknowledged(id)).length : 0;
    }
    this.changed();
  }

  private onRefused(id: string, error: StreamletError): void {
    for (const runtime of this.runtimes.values()) {
      if (runtime.entry.id === id) this.library.update(runtime.key, { error: error.toInfo() });
    }
    this.changed();
  }

  private findByHash(hash: string): VideoRuntime | undefined {
    if (this.stopped) return undefined;
    for (const runtime of this.runtimes.values()) {
      const { id, v1 } = runtime.entry;
      if (id?.startsWith(hash) || v1 === hash) return runtime;
    }
    return undefined;
  }

  /** A blocked person learns nothing, not even that they are blocked: closed before the hello. */
  private acceptControl(socket: Parameters<typeof ControlConnection.accept>[0], remote: RemoteIdentity): void {
    if (this.contacts.isBlocked(remote.fingerprint)) return void socket.destroy();
    ControlConnection.accept(socket, remote, this.controlOptions()).then(
      (control) => this.addControl(control),
      () => socket.destroy(),
    );
  }

  private controlOptions(): ControlOptions {
    return {
      identity: this.identity,
      control: {
        hello: () => ({ peerId: this.peerId, port: this.port }),
        catalog: (query, requester) => this.answerCatalog(query, requester),
        callBack: (request, from) => this.door.callBack(request, from),
        chat: (message, link) => this.chat.onMessage(message, link),
      },
    };
  }

  private async dialControl({ host, port }: HostPort, expected: Fingerprint | undefined): Promise<ControlPeer> {
    const { signal } = this.stopSignal;
    const options = { ...this.controlOptions(), host, port, signal, ...(expected ? { expected } : {}) };
    if (expected) this.refuseBlocked(expected);
    const control = await ControlConnection.dial(options);
    this.addControl(control);
    this.refuseBlocked(control.peer.fingerprint);
    return control.peer;
  }

  private refuseBlocked(fingerprint: Fingerprint): void {
    if (!this.contacts.isBlocked(fingerprint)) return;
    throw new StreamletError("invalid-argument", "You have blocked whoever is there: end the block first.");
  }

  private addControl(control: ControlConnection): void {
    if (this.stopped) return control.close("stopped");
    const { fingerprint } = control.peer;
    if (this.contacts.isBlocked(fingerprint)) return control.close();
    const other = this.controls.get(fingerprint);
    if (other) {
      // Both sides keep the connection that the smaller fingerprint has dialled; of two by the same side, the newer one.
      const keepOutgoing = this.identity.fingerprint < fingerprint;
      const loser = control.outgoing !== other.outgoing && control.outgoing !== keepOutgoing ? control : other;
      loser.close("duplicate");
      if (loser === control) return;
    }
    this.controls.set(fingerprint, control);
    const remove = this.catalog.addPeer(control);
    this.circle.noteConnected(control);
    this.grantKeeper.onOpened(control);
    control.onDidClose((reason) => {
      remove();
      if (this.controls.get(fingerprint) === control) {
        this.controls.delete(fingerprint);
        this.chat.onDisconnected(fingerprint);
      }
      this.circle.noteConnected(control);
      this.friendLinks.onClosed(fingerprint);
      this.manual.onDidClose(fingerprint, reason);
      this.changed();
    });
    this.chat.onConnected(control);
    this.finder.findForAll();
    this.changed();
  }

  /** Friendship or a block has begun or ended: what is open follows at once. */
  private onPeopleChanged(fingerprint: Fingerprint): void {
    if (this.contacts.isBlocked(fingerprint)) {
      this.manual.forget(fingerprint);
      this.controls.get(fingerprint)?.close();
    }
    this.controls.get(fingerprint)?.notifyCatalogChanged();
    this.friendLinks.onPeopleChanged(fingerprint);
    for (const runtime of this.runtimes.values()) runtime.onSharingChanged();
    this.catalog.peopleChanged();
    this.changed();
  }

  /** Friends get the records of what is for friends, each with a grant; others neither. */
  private answerCatalog(query: CatalogQuery, requester: Fingerprint): CatalogAnswer {
    const words = queryWords(query.text ?? "");
    const isFriend = this.contacts.isFriend(requester);
    const matching = this.publisher.shared().filter(({ record }) => {
      if (record.audience === "friends" && !isFriend) return false;
      return (!query.owner || record.owner === query.owner) && matchesWords(haystackOf(record), words);
    });
    const from = query.cursor ? Number.parseInt(query.cursor, 10) || 0 : 0;
    const page = matching.slice(from, from + query.limit);
    const next = from + page.length;
    return {
      records: page.map(({ bytes }) => bytes),
      grants: page.flatMap(({ record: { audience, id } }) =>
        audience === "friends" ? [this.grantIssuer.grantFor(id, requester)] : [],
      ),
      total: matching.length,
      ...(next < matching.length ? { cursor: String(next) } : {}),
    };
  }
}

export function notRunning(): StreamletError {
  return new StreamletError("not-running", "No profile is running: start one first.");
}
