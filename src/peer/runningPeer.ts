/** A peer that runs: everything between `start` and `stop`. It only wires; what happens is decided by the parts. */
import { randomBytes } from "node:crypto";
import type { Duplex } from "node:stream";
import type { PeerConfig } from "../rpc/peerService";
import { WIRE_PEER_ID_BYTES, WIRE_PEER_ID_PREFIX } from "../wire/constants";
import { StreamletError } from "../wire/errors";
import type { Fingerprint } from "../wire/types";
import { answerCatalog } from "./catalogAnswer";
import { systemClock } from "./clock";
import { Controls } from "./controls";
import { Downloads } from "./downloads";
import type { Engine } from "./engine";
import { type Identity, loadIdentity } from "./identity";
import { KnownSources } from "./knownSources";
import { DISCONNECTED, ManualPeers } from "./manualPeers";
import type { ControlConnection } from "./net/controlConnection";
import { IncomingLog } from "./net/incomingLog";
import { Listener } from "./net/listener";
import { OwnAddresses } from "./net/ownAddresses";
import { PeerData } from "./peerData";
import { PeerFinder } from "./peerFinder";
import { PeerLimits } from "./peerLimits";
import { Publisher } from "./publisher";
import { Rechecks } from "./rechecks";
import { Runtimes } from "./runtimes";
import { Sharing } from "./sharing";
import { Chat } from "./social/chat";
import { Circle } from "./social/circle";
import type { Contacts, People } from "./social/contacts";
import { FriendLinks } from "./social/friendLinks";
import { GrantKeeper } from "./social/grantKeeper";
import { GrantIssuer, HeldGrants } from "./social/grants";
import type { PeerStatus } from "./status";
import type { Library } from "./storage/library";
import { Verifier } from "./storage/verifier";
import { Gateway } from "./stream/gateway";
import type { PlaybackStore } from "./stream/playback";
import { Catalog } from "./tracker/catalog";
import { TrackerClient } from "./tracker/trackerClient";
import { Uploads } from "./uploads";
import type { VideoRuntime } from "./videoRuntime";
import { dialWire } from "./wireDial";
import { WireDoor } from "./wireDoor";

/** Records are renewed at half their life; looking once in ten minutes is soon enough, and missing files are noticed. */
const HOUSEKEEPING_MS = 10 * 60_000;
const SLEEP_CHECK_MS = 30_000;
/** Who restarts is back in seconds; an address where nobody listens costs one packet a round. */
const MANUAL_RETRY_MS = 5_000;

export class RunningPeer implements Engine {
  readonly clock = systemClock;
  readonly random = Math.random;
  readonly peerId20 = Buffer.concat([
    Buffer.from(WIRE_PEER_ID_PREFIX, "latin1"),
    randomBytes(WIRE_PEER_ID_BYTES - WIRE_PEER_ID_PREFIX.length),
  ]);
  readonly peerId: string;
  readonly verifier = new Verifier();
  readonly runtimes = new Runtimes(this);
  readonly limits: PeerLimits;
  readonly library: Library;
  readonly contacts: Contacts;
  readonly playback: PlaybackStore;
  readonly controls: Controls;
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
  readonly rechecks = new Rechecks(this);
  readonly downloads = new Downloads(this);
  readonly manual: ManualPeers;
  /** Since the start. */
  readonly incoming = new IncomingLog((host) => this.addresses.isOwn(host));
  readonly addresses: OwnAddresses;
  readonly chat: Chat;
  private readonly door = new WireDoor({
    find: (hash) => (this.stopped ? undefined : this.runtimes.find(hash)),
    wallClock: () => this.wallClock(),
  });
  readonly sharing: Sharing;
  private readonly publisher: Publisher;
  private readonly finder: PeerFinder;
  private readonly timers: (() => void)[] = [];
  private port = 0;
  private stopped = false;

  private constructor(
    readonly config: PeerConfig,
    readonly identity: Identity,
    private readonly data: PeerData,
    readonly onChange: () => void,
  ) {
    const { library, contacts, chats, playback } = data;
    this.library = library;
    this.contacts = contacts;
    this.playback = playback;
    this.peerId = config.peerId;
    this.limits = new PeerLimits(this.clock, this.random, config, () => this.runtimes.values());
    this.addresses = new OwnAddresses(this.clock, config.host);
    this.controls = new Controls({
      identity,
      people: contacts,
      control: {
        hello: () => ({ peerId: this.peerId, port: this.port }),
        catalog: async (query, requester) => {
          await this.publisher.ready;
          return answerCatalog(this.publisher.shared(), query, {
            isFriend: contacts.isFriend(requester),
            grantFor: (id) => this.grantIssuer.grantFor(id, requester),
          });
        },
        callBack: (request, from) => this.door.callBack(request, from),
        chat: (message, link) => this.chat.onMessage(message, link),
      },
      onOpened: (control) => this.onControlOpened(control),
    });
    this.friendLinks = new FriendLinks({
      clock: this.clock,
      wallClock: () => this.wallClock(),
      contacts,
      awaited: () => this.chat.awaited(),
      isConnected: (fingerprint) => this.controls.has(fingerprint),
      noteName: (fingerprint, peerId) => this.chat.noteName(fingerprint, peerId),
      dial: (address, expected) => this.controls.dial(address, expected),
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
        host: () => this.addresses.hosts()[0]!,
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
      dial: (address, expected) => this.controls.dial(address, expected),
      locate: (fingerprint) => this.friendLinks.locate(fingerprint),
      sharingChanged: () => this.sharingChanged(),
    });
    this.grantKeeper.open();
    this.publisher = new Publisher(
      this,
      this.catalog,
      this.trackers,
      data.withdrawals,
      () => this.runtimes.values(),
      () => this.sharing.publish(),
    );
    this.sharing = new Sharing({
      engine: this,
      publisher: this.publisher,
      trackers: this.trackers,
      controls: () => this.controls.values(),
      runtimes: () => this.runtimes.values(),
    });
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
        dial: (address, expected) => this.controls.dial(address, expected),
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
    this.uploads = new Uploads(this, config, this.runtimes, (...sharing) => this.sharing.set(...sharing));
  }

  /** Errors: see PeerService.start. */
  static async start(config: PeerConfig, onChange: () => void): Promise<RunningPeer> {
    const identity = await loadIdentity(config.privateKey);
    const data = await PeerData.open(config.dataDir, identity.fingerprint, onChange);
    let peer: RunningPeer | undefined;
    try {
      peer = new RunningPeer(config, identity, data, onChange);
      await peer.listen();
      peer.connectTrackers();
      await peer.openVideos();
      return peer;
    } catch (error) {
      if (peer) await peer.stop();
      else await data.close();
      throw error;
    }
  }
  private listener: Listener | undefined;

  async stop(): Promise<void> {
    if (this.stopped) return;
    this.stopped = true;
    for (const cancel of this.timers) cancel();
    this.limits.swarms.close();
    this.sharing.stop();
    this.friendLinks.stop();
    this.grantKeeper.stop();
    const goodbyes = [...this.trackers.map((tracker) => tracker.stop()), this.finder.stop()];
    this.controls.stop();
    await Promise.all([this.uploads.close(), this.rechecks.close(), this.gateway.stop()]);
    await this.runtimes.close();
    await Promise.all([...goodbyes, this.listener?.close(), this.verifier.close()]);
    this.catalog.dispose();
    this.chat.stop();
    await this.data.close();
  }

  status(): PeerStatus {
    return {
      state: "running",
      peerId: this.peerId,
      fingerprint: this.identity.fingerprint,
      port: this.port,
      addresses: this.addresses.hosts(),
      trackers: this.trackers.map((tracker) => tracker.status),
      ...this.runtimes.traffic(),
      obtainedBytes: this.limits.obtained(),
    };
  }

  /** Errors: unknown-video, not-running. */
  runtime(key: string): VideoRuntime {
    this.assertRunning();
    return this.runtimes.of(key);
  }

  /** For whoever has waited for something meanwhile. Errors: not-running. */
  assertRunning(): void {
    if (this.stopped) throw notRunning();
  }

  /** See `PeerData.flush`. */
  flush(): Promise<void> {
    return this.data.flush();
  }

  // --- Engine -----------------------------------------------------------------------------------------------------------

  get people(): People {
    return this.contacts;
  }
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
    this.sharing.changed();
  }

  dial(...[peer, onread, signal]: Parameters<Engine["dial"]>): Promise<Duplex> {
    return dialWire(this, peer, onread, signal);
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
        this.controls.accept(socket, remote);
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
        this.sharing.acknowledged();
        // Downloads that were there before the tracker need not wait for their next look round.
        if (state === "online") this.finder.findForAll();
      });
      client.onDidAcknowledge(() => this.sharing.acknowledged());
      client.onDidRefuse((id, error) => this.sharing.onRefused(id, error));
      client.onDidRequestCallback(({ id, ...from }) => this.door.callBackAnybody(id, from));
      client.start();
    }
    this.catalog.onDidChange(() => this.changed());
  }

  private async openVideos(): Promise<void> {
    await this.runtimes.open(this.uploads, this.rechecks);
    this.sharing.publish();
    this.manual.retry();
    this.friendLinks.lookSoon();
    this.timers.push(
      this.clock.every(MANUAL_RETRY_MS, () => this.manual.retry()),
      this.clock.every(SLEEP_CHECK_MS, () => this.runtimes.sleepIfIdle()),
      this.clock.every(HOUSEKEEPING_MS, () => {
        this.runtimes.checkFiles();
        this.sharing.publish();
      }),
    );
  }

  /** See `ControlsHost`. */
  private onControlOpened(control: ControlConnection): (reason: string, isGone: boolean) => void {
    const { fingerprint } = control.peer;
    const remove = this.catalog.addPeer(control);
    this.circle.noteConnected(control);
    this.grantKeeper.onOpened(control);
    this.chat.onConnected(control);
    this.finder.findForAll();
    this.changed();
    return (reason, isGone) => {
      remove();
      if (isGone) this.chat.onDisconnected(fingerprint);
      this.circle.noteConnected(control);
      this.friendLinks.onClosed(fingerprint);
      this.manual.onDidClose(fingerprint, reason);
      this.changed();
    };
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
}

export function notRunning(): StreamletError {
  return new StreamletError("not-running", "No profile is running: start one first.");
}
