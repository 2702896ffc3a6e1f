/**
 * The facade of the engine: the one thing that the worker and the command line talk to. It turns calls into changes of the
 * library and of the running peer, and nothing else.
 */
import { rm } from "node:fs/promises";
import { resolve } from "node:path";
import type {
  DownloadRequest,
  EditedInfo,
  Limits,
  PeerConfig,
  PeerService,
  RecheckResult,
  UploadRequest,
  VideoLimits,
} from "../rpc/peerService";
import { StreamletError } from "../wire/errors";
import { systemClock } from "./clock";
import { diagnose } from "./diagnose";
import { FRIENDS_WAIT_MS } from "./downloads";
import { createIdentityKey, loadIdentity } from "./identity";
import { editVideo, uploadVideo } from "./ownVideos";
import { patientOf } from "./patient";
import { notRunning, RunningPeer } from "./runningPeer";
import { Snapshots } from "./snapshots";
import {
  type Audience,
  type ChatPage,
  type Check,
  type Contact,
  type FileFacts,
  type LibraryVideo,
  type ManualConnection,
  type MediaTools,
  type NetworkPage,
  type NetworkQuery,
  type PeerStatus,
  type PeersPage,
  type Playback,
  type Snapshot,
  STOPPED_PEER,
  type Thumbnail,
  type VideoDetails,
} from "./status";
import { copyFile } from "./storage/copyFile";
import { streamSource } from "./stream/runtimeStream";
import { Tasks } from "./tasks";
import { torrentFile } from "./torrentFile";
import { TrackerClient } from "./tracker/trackerClient";
import { videoDetails } from "./videoDetails";
import type { DownloadResult } from "./videoDownload";
import { type Links, linksOf } from "./videoLink";
import { pictureOf } from "./videoPicture";
import type { VideoRuntime } from "./videoRuntime";

const RELEASE_TIMEOUT_MS = 3_000;

export class Session implements PeerService {
  private running: RunningPeer | undefined;
  private status: PeerStatus = STOPPED_PEER;
  private readonly snapshots = new Snapshots(systemClock, () => this.takeSnapshot());
  private readonly tasks = new Tasks(() => this.snapshots.changed());
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
      this.tasks.cancelAll();
      await running?.stop();
      this.snapshots.flush();
    });
  }

  async snapshot(): Promise<Snapshot> {
    return this.takeSnapshot();
  }

  // --- library ----------------------------------------------------------------------------------------------------------

  async upload(request: UploadRequest): Promise<{ key: string }> {
    return uploadVideo(this.peer(), request);
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
    editVideo(this.peer(), key, info);
  }

  async remove(key: string, options: { deleteFile: boolean }): Promise<void> {
    const peer = this.peer();
    const runtime = this.runtime(key);
    if (runtime.entry.shared) peer.sharing.withdraw(runtime);
    peer.runtimes.delete(key);
    peer.playback.delete(key);
    await Promise.all([peer.uploads.cancel(key), peer.rechecks.cancel(runtime)]);
    await runtime.discardPart();
    await runtime.close();
    const { origin, path, partPath } = runtime.entry;
    const ours = origin === "obtained" ? options.deleteFile : peer.uploads.isOwnCopy(path);
    if (ours && !partPath) await rm(path, { force: true });
    await peer.uploads.discardCopy(key);
    peer.library.remove(key);
    await peer.flush();
    peer.changed();
    peer.sharingChanged();
  }

  async saveCopy(key: string, destination: string, options: { force: boolean; taskId?: string }): Promise<void> {
    const { entry } = this.runtime(key);
    if (entry.state !== "ready") {
      throw new StreamletError("file-missing", "Only a whole video can be saved: wait until the download is done.");
    }
    const { path, title, size } = entry;
    await this.tasks.runListed(options.taskId, { kind: "save", title, total: size }, (signal, onProgress) =>
      copyFile(path, destination, { force: options.force, signal, onProgress }),
    );
  }

  async cancelTask(id: string): Promise<void> {
    this.tasks.cancel(id);
  }

  // --- downloads --------------------------------------------------------------------------------------------------------

  async download(request: DownloadRequest): Promise<{ key: string }> {
    return this.peer().downloads.request(request);
  }

  async pause(key: string): Promise<void> {
    const runtime = this.runtime(key);
    if (runtime.isDownloading) await runtime.download.pause();
    else await this.peer().rechecks.cancel(runtime);
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
    if (state !== "fileMissing" && state !== "fileChanged") return;
    await runtime.checkFile();
    // Another time, as a copy or a restored backup has it, does not make another file.
    if (runtime.entry.state === "fileChanged")
      void this.peer()
        .rechecks.check(runtime)
        .catch(() => undefined); // its state says it
  }

  async recheck(key: string): Promise<RecheckResult> {
    const peer = this.peer();
    return peer.rechecks.check(peer.runtime(key));
  }

  async cancel(key: string): Promise<void> {
    const runtime = this.runtime(key);
    const { state, partPath } = runtime.entry;
    if (state === "ready") return;
    if (state === "checking" && !partPath) return this.peer().rechecks.cancel(runtime);
    await this.remove(key, { deleteFile: false });
  }

  /** Resolves when the download is whole, and where it was asked for; rejects with its error when it fails or is stopped. */
  async downloadResult(key: string): Promise<DownloadResult> {
    return this.peer().downloads.result(key);
  }

  async openStream(
    source: string,
    origin?: string,
  ): Promise<{ id: string; key: string; url: string; video: LibraryVideo }> {
    const peer = this.peer();
    const key = peer.runtimes.has(source) ? source : (await peer.downloads.request({ source }, { toPlay: true })).key;
    const runtime = this.runtime(key);
    runtime.stream.expectReader();
    const { state } = runtime.entry;
    if (state === "ready") await runtime.checkFile();
    else if (!runtime.isDownloading) await this.resume(key);
    await runtime.wake();
    peer.assertRunning();
    const stream = await peer.gateway.open(streamSource(peer, key), origin);
    return { key, ...stream, video: runtime.status() };
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
    this.peer().gateway.allowConversion(streamId);
  }

  async allowOrigin(streamId: string, origin: string): Promise<void> {
    this.peer().gateway.allowOrigin(streamId, origin);
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
    this.peer().manual.disconnect(fingerprint);
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

  async thumbnail(of: { key?: string; id?: string }): Promise<Thumbnail | null> {
    return pictureOf(this.peer(), of);
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
    return this.tasks.run(taskId, (signal) => diagnose(patient, signal));
  }

  async setVideoLimits(key: string, limits: VideoLimits): Promise<void> {
    const runtime = this.runtime(key);
    runtime.limits.set(limits, runtime.swarm);
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
    return this.peer().runtime(key);
  }

  private async applySharing(runtime: VideoRuntime, shared: boolean, audience: Audience): Promise<void> {
    const peer = this.peer();
    peer.sharing.set(runtime, shared, audience);
    await peer.flush();
  }

  private takeSnapshot(): Snapshot {
    const peer = this.running;
    return {
      peer: peer ? peer.status() : this.status,
      videos: peer ? [...peer.runtimes.values()].map((runtime) => runtime.status()) : [],
      tasks: this.tasks.list(),
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
