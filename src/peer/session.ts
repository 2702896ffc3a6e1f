/**
 * The facade of the engine: the one thing that the worker and the command line talk to. It turns calls into changes of the
 * library and of the running peer, and nothing else.
 */
import { randomBytes } from "node:crypto";
import { rm } from "node:fs/promises";
import { basename, resolve } from "node:path";
import type { DownloadRequest, EditedInfo, Limits, PeerConfig, PeerService, UploadRequest } from "../rpc/peerService";
import { fromHex } from "../wire/bytes";
import { MAX_DESCRIPTION_CHARS, MAX_TITLE_CHARS } from "../wire/constants";
import { StreamletError } from "../wire/errors";
import { charCount, cleanText } from "../wire/text";
import { isVideoId } from "../wire/types";
import { systemClock } from "./clock";
import { destinationOf } from "./destination";
import { diagnose } from "./diagnose";
import { type DownloadSpec, downloadsDirOf, readDownloadSource } from "./downloadSource";
import { createIdentityKey, loadIdentity } from "./identity";
import { thumbnailOf, toThumbnail } from "./media/thumbnails";
import { patientOf } from "./patient";
import { RunningPeer } from "./runningPeer";
import { Snapshots } from "./snapshots";
import {
  type Audience,
  type ChatPage,
  type Check,
  type Contact,
  type FileFacts,
  type ManualConnection,
  type MediaTools,
  type NetworkPage,
  type NetworkQuery,
  type PeerStatus,
  type PeersPage,
  type Playback,
  type Snapshot,
  STOPPED_PEER,
  type TaskStatus,
  type Thumbnail,
  type VideoDetails,
} from "./status";
import { copyFile } from "./storage/copyFile";
import { safeFileName } from "./storage/fileNames";
import { HashTree } from "./storage/hashTree";
import type { LibraryEntry } from "./storage/libraryEntry";
import { checkVideoFile } from "./storage/videoFile";
import { streamSource } from "./stream/runtimeStream";
import { torrentFile } from "./torrentFile";
import { TrackerClient } from "./tracker/trackerClient";
import { videoDetails } from "./videoDetails";
import type { DownloadResult } from "./videoDownload";
import { type Links, linksOf } from "./videoLink";
import type { VideoRuntime } from "./videoRuntime";

const RELEASE_TIMEOUT_MS = 3_000;
/** Whoever asks what there is waits so long for friends who are not connected yet: a dial on a slow link. */
const FRIENDS_WAIT_MS = 1_500;

export class Session implements PeerService {
  private running: RunningPeer | undefined;
  private status: PeerStatus = STOPPED_PEER;
  private readonly tasks = new Map<string, { status: TaskStatus; abort: AbortController }>();
  private readonly diagnoses = new Map<string, AbortController>();
  private readonly snapshots = new Snapshots(systemClock, () => this.takeSnapshot());
  private turning: Promise<unknown> = Promise.resolve();

  /** Called with a snapshot after every change, at most four times a second. The result takes the listener away. */
  onDidChange(listener: (snapshot: Snapshot) => void): () => void {
    return this.snapshots.listen(listener);
  }

  createIdentity(): Promise<{ privateKey: string; fingerprint: string }> {
    return createIdentityKey();
  }

  start(config: PeerConfig): Promise<PeerStatus> {
    return this.inTurn(async () => {
      if (this.running) throw new StreamletError("invalid-argument", "A profile is running already: stop it first.");
      this.status = { ...STOPPED_PEER, state: "starting", peerId: config.peerId };
      this.snapshots.changed();
      try {
        this.running = await RunningPeer.start(config, () => this.snapshots.changed());
      } catch (error) {
        this.status = STOPPED_PEER;
        this.snapshots.changed();
        throw error;
      }
      this.snapshots.changed();
      return this.running.status();
    });
  }

  stop(): Promise<void> {
    return this.inTurn(async () => {
      const { running } = this;
      this.running = undefined;
      this.status = STOPPED_PEER;
      for (const task of this.tasks.values()) task.abort.abort();
      for (const diagnosis of this.diagnoses.values()) diagnosis.abort();
      await running?.stop();
      this.snapshots.flush();
    });
  }

  async snapshot(): Promise<Snapshot> {
    return this.takeSnapshot();
  }

  // --- library ----------------------------------------------------------------------------------------------------------

  async upload(request: UploadRequest): Promise<{ key: string }> {
    const peer = this.peer();
    const path = resolve(request.path);
    const file = await checkVideoFile(path);
    const { optimise } = request;
    if (optimise && !(await peer.uploads.ffmpeg.tools()).ffmpeg) {
      throw new StreamletError(
        "ffmpeg-missing",
        "A smaller copy needs ffmpeg: install it, or share the video as it is.",
      );
    }
    const isSame = (e: LibraryEntry) => e.path === path && e.size === file.size && e.mtimeMs === file.mtimeMs;
    const known = optimise ? undefined : peer.library.entries().find((e) => isSame(e) && e.state === "ready");
    const title = request.title?.trim() || basename(path).replace(/\.[^.]+$/, "");
    checkDescription(request.description ?? "");
    if (this.running !== peer) throw notRunning(); // stopped while the file was looked at
    const picture = thumbnailOf(request.thumbnail)?.data;
    if (known) {
      const description = request.description ?? known.description;
      const thumbnail = picture ?? known.thumbnail;
      const info = { title: request.title ? title : known.title, description, thumbnail };
      if (peer.library.update(known.key, info) !== known) peer.invalidateRecord(known.key);
      await this.applySharing(this.runtime(known.key), request.share || known.shared, request.audience);
      return { key: known.key };
    }
    const entry = peer.library.add({
      origin: "uploaded",
      title: cleanText(title).slice(0, MAX_TITLE_CHARS) || safeFileName(basename(path)),
      description: request.description ?? "",
      fileName: safeFileName(basename(path)),
      path,
      size: file.size,
      container: file.container,
      audience: request.audience,
      shared: request.share,
      ...(picture ? { thumbnail: picture } : {}),
      state: optimise ? "optimising" : "hashing",
      ...(optimise ? { optimise } : {}),
      owner: peer.peerId,
      ownerFingerprint: peer.identity.fingerprint,
    });
    peer.uploads.begin(peer.adopt(entry.key));
    peer.changed();
    return { key: entry.key };
  }

  inspectFile(path: string, options: { picture: boolean }): Promise<FileFacts> {
    return this.peer().uploads.inspect(resolve(path), options);
  }

  async share(key: string, audience: Audience): Promise<void> {
    await this.applySharing(this.runtime(key), true, audience);
  }

  async unshare(key: string): Promise<void> {
    const runtime = this.runtime(key);
    await this.applySharing(runtime, false, runtime.entry.audience);
  }

  async editInfo(key: string, info: EditedInfo): Promise<void> {
    const title = info.title.trim();
    if (!cleanText(title)) {
      throw new StreamletError("invalid-argument", "A video needs a name: type at least one character.");
    }
    if (charCount(title) > MAX_TITLE_CHARS) {
      throw new StreamletError("invalid-argument", `A video's name has at most ${MAX_TITLE_CHARS} characters.`);
    }
    checkDescription(info.description);
    const picture = thumbnailOf(info.thumbnail)?.data;
    if (info.thumbnail !== undefined && !picture) {
      throw new StreamletError(
        "invalid-argument",
        "The picture is no JPEG or WebP of at most 16 KiB and 640 x 640 pixels.",
      );
    }
    const { entry } = this.runtime(key);
    const { was } = info;
    if (was && (was.title !== entry.title || was.description !== entry.description)) {
      throw new StreamletError(
        "edit-conflict",
        "Somebody else has changed the video meanwhile: look at it, then save again.",
      );
    }
    const changes = { title, description: info.description, ...(picture ? { thumbnail: picture } : {}) };
    this.peer().library.update(key, changes);
    this.peer().invalidateRecord(key);
    this.peer().changed();
  }

  async remove(key: string, options: { deleteFile: boolean }): Promise<void> {
    const peer = this.peer();
    const runtime = this.runtime(key);
    if (runtime.entry.shared) peer.withdraw(runtime);
    peer.runtimes.delete(key);
    peer.playback.delete(key);
    await peer.uploads.cancel(key);
    await runtime.discardPart();
    await runtime.close();
    const { origin, path, partPath } = runtime.entry;
    const ours = origin === "obtained" ? options.deleteFile : peer.uploads.isOwnCopy(path);
    if (ours && !partPath) await rm(path, { force: true });
    await peer.uploads.discardCopy(key);
    peer.library.remove(key);
    await peer.library.flush();
    peer.changed();
    peer.sharingChanged();
  }

  async saveCopy(key: string, destination: string, options: { force: boolean; taskId?: string }): Promise<void> {
    const { entry } = this.runtime(key);
    if (entry.state !== "ready") {
      throw new StreamletError("file-missing", "Only a whole video can be saved: wait until the download is done.");
    }
    const abort = new AbortController();
    const id = options.taskId ?? randomBytes(8).toString("hex");
    const status: TaskStatus = { id, kind: "save", title: entry.title, done: 0, total: entry.size };
    this.tasks.set(id, { status, abort });
    try {
      await copyFile(entry.path, destination, {
        force: options.force,
        signal: abort.signal,
        onProgress: (done) => {
          status.done = done;
          this.snapshots.changed();
        },
      });
    } finally {
      this.tasks.delete(id);
      this.snapshots.changed();
    }
  }

  async cancelTask(id: string): Promise<void> {
    this.tasks.get(id)?.abort.abort();
    this.diagnoses.get(id)?.abort();
  }

  // --- downloads --------------------------------------------------------------------------------------------------------

  async download(request: DownloadRequest): Promise<{ key: string }> {
    const peer = this.peer();
    const spec = await readDownloadSource(request.source, {
      recordsOf: async (id) => {
        if (peer.catalog.recordsAtHand(id).length === 0) await peer.friendLinks.refresh(FRIENDS_WAIT_MS);
        return peer.catalog.recordsOf(id);
      },
      // What is in the library goes on without its owner.
      recordsFromOwner: async (id, owner, hosts) =>
        peer.library.findById(id) ? [] : peer.grantKeeper.recordsFromOwner(id, owner, hosts),
      isFriend: (fingerprint) => peer.contacts.isFriend(fingerprint),
    });
    const known = peer.library.entries().find((e) => (spec.id && e.id === spec.id) || (!spec.id && e.v1 === spec.v1));
    if (known) return this.downloadAgain(known.key, { ...spec, fileName: known.fileName }, request);
    const path = await this.destinationOf(spec, request);
    peer.checkQuota(undefined, spec.size);
    if (this.running !== peer) throw notRunning(); // stopped while the source was looked up
    const entry = peer.library.add({
      origin: "obtained",
      ...(spec.id ? { id: spec.id } : {}),
      ...(spec.v1 ? { v1: spec.v1 } : {}),
      ...(spec.piecesRoot ? { piecesRoot: spec.piecesRoot } : {}),
      ...(spec.pieceLength ? { pieceLength: spec.pieceLength } : {}),
      title: spec.title,
      description: spec.description,
      fileName: spec.fileName,
      path,
      partPath: `${path}.part`,
      size: spec.size,
      audience: spec.audience,
      ...grantFor(peer, spec),
      shared: true,
      state: "downloading",
      owner: spec.owner,
      ownerFingerprint: spec.ownerFingerprint,
      sequence: spec.sequence,
      ...(spec.duration === undefined ? {} : { duration: spec.duration }),
      ...(spec.width === undefined ? {} : { width: spec.width }),
      ...(spec.height === undefined ? {} : { height: spec.height }),
      ...(spec.container === undefined ? {} : { container: spec.container }),
      ...(spec.codecs === undefined ? {} : { codecs: spec.codecs }),
      peers: spec.ownerFingerprint === "" ? [...spec.peers, ...(request.peers ?? [])] : spec.peers,
      trackers: spec.trackers,
    });
    if (spec.infoBytes) await peer.library.saveInfo(entry.key, spec.infoBytes);
    if (spec.pieceLayer && spec.piecesRoot && spec.pieceLength) {
      const shape = { piecesRoot: fromHex(spec.piecesRoot), length: spec.size, pieceLength: spec.pieceLength };
      const tree = HashTree.open(peer.library.treePath(entry.key), shape);
      tree.setPieceLayer(0, spec.pieceLayer);
      tree.close();
    }
    await peer.library.flush();
    if (this.running !== peer) throw notRunning(); // the next start goes on with it
    const runtime = peer.adopt(entry.key);
    runtime.download.replaceExisting = request.force === true;
    void this.keepPicture(entry.key).catch(() => undefined); // the video is worth having without
    await runtime.download.start();
    return { key: entry.key };
  }

  /** The picture of a video stays when those who offered it are gone. */
  private async keepPicture(key: string): Promise<void> {
    const picture = await this.thumbnail({ key });
    if (picture) this.peer().library.update(key, { thumbnail: picture.data });
  }

  /** It is in the library: goes on, is fetched anew where its file is gone, or is copied to where it is wanted. */
  private async downloadAgain(key: string, spec: DownloadSpec, request: DownloadRequest): Promise<{ key: string }> {
    const runtime = this.runtime(key);
    runtime.download.replaceExisting = request.force === true;
    this.copies.delete(key);
    if (runtime.entry.state === "ready") await runtime.checkFile();
    const { state, origin, path, size } = runtime.entry;
    const gone = state === "fileMissing" || state === "fileChanged";
    if (state === "ready") {
      const target = request.out ? await this.destinationOf(spec, request) : path;
      if (target === path) return { key };
      const begun = systemClock.now();
      await copyFile(path, target, { force: request.force === true });
      this.copies.set(key, { path: target, bytes: size, seconds: (systemClock.now() - begun) / 1000 });
    } else if (gone && origin === "obtained") {
      this.peer().checkQuota(key, size);
      const target = await this.destinationOf(spec, request);
      this.peer().library.update(key, { path: target, partPath: `${target}.part`, mtimeMs: undefined });
      await runtime.download.start();
    } else if (state !== "hashing") {
      // Another place than before: the data stays where it is until it is whole.
      if (request.out) this.peer().library.update(key, { path: await this.destinationOf(spec, request) });
      if (!runtime.isDownloading) {
        this.peer().checkQuota(key, size);
        await runtime.download.start();
      }
    }
    return { key };
  }
  /** Where the last request for a video that was there already has put its copy. */
  private readonly copies = new Map<string, DownloadResult>();

  private destinationOf(spec: DownloadSpec, request: DownloadRequest): Promise<string> {
    return destinationOf(downloadsDirOf(this.peer().config), spec.fileName, request);
  }

  async pause(key: string): Promise<void> {
    const runtime = this.runtime(key);
    if (runtime.isDownloading) await runtime.download.pause();
  }

  async resume(key: string): Promise<void> {
    const runtime = this.runtime(key);
    await runtime.download.settled();
    const { state, origin, partPath, id, size } = runtime.entry;
    if (partPath && (state === "paused" || state === "failed")) {
      this.peer().checkQuota(key, size);
      return runtime.download.start();
    }
    if (origin === "uploaded" && state === "failed" && !id) {
      runtime.setState(runtime.entry.optimise ? "optimising" : "hashing");
      return this.peer().uploads.begin(runtime);
    }
    if (state === "fileMissing" || state === "fileChanged") await runtime.checkFile();
  }

  async cancel(key: string): Promise<void> {
    const { state } = this.runtime(key).entry;
    if (state === "ready") return;
    await this.remove(key, { deleteFile: false });
  }

  /** Resolves when the download is whole, rejects with its error when it fails or is stopped. */
  async downloadResult(key: string): Promise<DownloadResult> {
    return this.copies.get(key) ?? (await this.runtime(key).download.result());
  }

  async openStream(source: string, origin?: string): Promise<{ id: string; key: string; url: string }> {
    const peer = this.peer();
    const key = peer.runtimes.has(source) ? source : (await this.download({ source })).key;
    const runtime = this.runtime(key);
    const { state } = runtime.entry;
    if (state === "ready") await runtime.checkFile();
    else if (!runtime.isDownloading) await this.resume(key);
    await runtime.wake();
    if (this.running !== peer) throw notRunning();
    return { key, ...(await peer.gateway.open(streamSource(peer, key), origin)) };
  }

  async playback(key: string): Promise<Playback | null> {
    return this.peer().playback.get(key) ?? null;
  }

  async savePlayback(key: string, playback: Playback): Promise<void> {
    const peer = this.peer();
    if (peer.runtimes.has(key)) peer.playback.set(key, playback);
  }

  async closeStream(id: string): Promise<void> {
    this.running?.gateway.close(id);
  }

  async canConvert(): Promise<boolean> {
    return (await this.mediaTools()).ffmpeg !== undefined;
  }

  async allowConversion(streamId: string): Promise<void> {
    if (!(await this.canConvert())) throw new StreamletError("ffmpeg-missing", "Converting a video needs ffmpeg.");
    this.peer().gateway.allowConversion(streamId);
  }

  async link(video: string): Promise<Links> {
    return linksOf(this.peer(), video);
  }

  // --- network ----------------------------------------------------------------------------------------------------------

  queryNetwork(query: NetworkQuery): Promise<NetworkPage> {
    return this.peer().catalog.query(query);
  }
  async queryPeers(query: { limit: number }): Promise<PeersPage> {
    const peer = this.peer();
    const page = await peer.catalog.queryPeers(query);
    const peers = page.peers.map((p) => ({ ...p, connected: peer.controls.has(p.fingerprint) }));
    return { ...page, peers };
  }
  async refresh(): Promise<void> {
    const peer = this.peer();
    await Promise.all([peer.friendLinks.refresh(FRIENDS_WAIT_MS), peer.catalog.refresh()]);
  }
  connect(address: string): Promise<ManualConnection> {
    return this.peer().manual.connect(address);
  }
  async disconnect(fingerprint: string): Promise<void> {
    this.peer().disconnect(fingerprint);
  }

  // --- people -----------------------------------------------------------------------------------------------------------

  async addFriend(contact: string, peerId?: string): Promise<Contact> {
    return this.peer().circle.addFriend(contact, peerId);
  }
  async removeFriend(fingerprint: string): Promise<void> {
    await this.peer().circle.removeFriend(fingerprint);
  }
  async block(fingerprint: string, peerId?: string): Promise<void> {
    await this.peer().circle.block(fingerprint, peerId);
  }
  async unblock(fingerprint: string): Promise<void> {
    await this.peer().circle.unblock(fingerprint);
  }
  async sendChat(fingerprint: string, text: string): Promise<{ id: string }> {
    return this.peer().chat.send(fingerprint, text);
  }
  async chatHistory(fingerprint: string, page: { before?: string; limit: number }): Promise<ChatPage> {
    return this.peer().chat.history(fingerprint, page);
  }
  async markChatRead(fingerprint: string): Promise<void> {
    await this.peer().chat.markRead(fingerprint);
  }
  async deleteChat(fingerprint: string): Promise<void> {
    await this.peer().chat.delete(fingerprint);
  }

  // --- looks ------------------------------------------------------------------------------------------------------------

  async thumbnail({ key, id }: { key?: string; id?: string }): Promise<Thumbnail | null> {
    const { library, catalog } = this.peer();
    const entry = key === undefined ? undefined : library.get(key);
    const kept = thumbnailOf(entry?.thumbnail);
    const videoId = entry?.id ?? id;
    if (kept || !videoId || !isVideoId(videoId)) return kept;
    return toThumbnail(await catalog.thumbnailOf(videoId)) ?? thumbnailOf(library.findById(videoId)?.thumbnail);
  }
  async details(video: string): Promise<VideoDetails> {
    const details = await videoDetails(this.peer(), video);
    if (!details) throw new StreamletError("unknown-video", "Nobody who can be reached offers this video now.");
    return details;
  }
  async torrentFile(key: string): Promise<{ fileName: string; data: string }> {
    return torrentFile(this.peer(), this.runtime(key).entry);
  }
  mediaTools(): Promise<MediaTools> {
    return this.peer().uploads.ffmpeg.tools();
  }
  async diagnose({ taskId }: { taskId: string }): Promise<Check[]> {
    const patient = patientOf(this.peer());
    const abort = new AbortController();
    this.diagnoses.set(taskId, abort);
    try {
      return await diagnose(patient, abort.signal);
    } finally {
      this.diagnoses.delete(taskId);
    }
  }

  async setLimits(limits: Limits): Promise<void> {
    this.peer().limits.set(limits);
  }

  async deleteData(config: PeerConfig): Promise<void> {
    await this.stop();
    const identity = await loadIdentity(config.privateKey).catch(() => undefined);
    if (identity) {
      await Promise.all(
        config.trackers.map(async (address) => {
          const client = new TrackerClient({ address, identity, peerId: config.peerId, port: () => 0 });
          client.start();
          if (await client.waitOnline(RELEASE_TIMEOUT_MS)) await client.releaseName().catch(() => undefined);
          await client.stop();
        }),
      );
    }
    await rm(config.dataDir, { recursive: true, force: true });
  }

  // --- inside -----------------------------------------------------------------------------------------------------------

  private peer(): RunningPeer {
    if (!this.running) throw notRunning();
    return this.running;
  }

  private runtime(key: string): VideoRuntime {
    const runtime = this.peer().runtimes.get(key);
    if (!runtime) throw new StreamletError("unknown-video", "This video is not in the library any more.");
    return runtime;
  }

  private async applySharing(runtime: VideoRuntime, shared: boolean, audience: Audience): Promise<void> {
    const peer = this.peer();
    peer.setSharing(runtime, shared, audience);
    await peer.library.flush();
  }

  private takeSnapshot(): Snapshot {
    const peer = this.running;
    return {
      peer: peer ? peer.status() : this.status,
      videos: peer ? [...peer.runtimes.values()].map((runtime) => runtime.status()) : [],
      tasks: [...this.tasks.values()].map(({ status }) => ({ ...status })),
      networkRevision: peer?.catalog.revision ?? 0,
      peersRevision: peer?.catalog.peersRevision ?? 0,
      networkKnown: peer?.catalog.known ?? false,
      manual: peer?.manual.list() ?? [],
      contacts: peer?.circle.status() ?? [],
      chats: peer?.chat.summaries() ?? [],
      chatRevision: peer?.chat.revision ?? 0,
      unreachable: peer ? [...peer.runtimes.values()].some((runtime) => runtime.unreachable) : false,
    };
  }

  /** Starts and stops wait for each other. */
  private inTurn<T>(run: () => Promise<T>): Promise<T> {
    const next = this.turning.then(run);
    this.turning = next.catch(() => undefined);
    return next;
  }
}

/** Our leave to have a video for friends, as the library keeps it. */
function grantFor({ grants }: RunningPeer, { audience, id, ownerFingerprint }: DownloadSpec): { grant?: string } {
  const held = audience === "friends" && id && ownerFingerprint ? grants.get(ownerFingerprint, id) : undefined;
  return held ? { grant: Buffer.from(held.bytes).toString("base64") } : {};
}

function notRunning(): StreamletError {
  return new StreamletError("not-running", "No profile is running: start one first.");
}

function checkDescription(description: string): void {
  if (charCount(description) <= MAX_DESCRIPTION_CHARS) return;
  throw new StreamletError("invalid-argument", `A description has at most ${MAX_DESCRIPTION_CHARS} characters.`);
}
