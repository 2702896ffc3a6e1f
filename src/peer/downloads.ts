/**
 * What a request for a download means: a new entry, one that goes on, one that is fetched anew, or a copy of what is here already.
 * How it then goes is the runtime's; what a link or a file says is read by downloadSource.ts.
 */
import type { DownloadRequest } from "../rpc/peerService";
import { fromHex } from "../wire/bytes";
import { mediaFacts } from "../wire/mediaFacts";
import { destinationOf } from "./destination";
import { type DownloadSpec, downloadsDirOf, readDownloadSource } from "./downloadSource";
import type { RunningPeer } from "./runningPeer";
import { copyFile } from "./storage/copyFile";
import { HashTree } from "./storage/hashTree";
import type { DownloadResult } from "./videoDownload";
import { pictureOf } from "./videoPicture";

/** Whoever asks for a video waits so long for friends who are not connected yet: a dial on a slow link. */
export const FRIENDS_WAIT_MS = 1_500;

type Downloader = Pick<
  RunningPeer,
  | "library"
  | "catalog"
  | "contacts"
  | "friendLinks"
  | "grants"
  | "grantKeeper"
  | "config"
  | "clock"
  | "checkQuota"
  | "runtimes"
  | "runtime"
  | "assertRunning"
>;

export class Downloads {
  /** Where the last request for a video that was there already has put its copy. */
  private readonly copies = new Map<string, DownloadResult>();

  constructor(private readonly peer: Downloader) {}

  /** See PeerService.download. @param options `toPlay`: a player is about to read it */
  async request(request: DownloadRequest, { toPlay = false } = {}): Promise<{ key: string }> {
    const { peer } = this;
    const spec = await this.readSource(request.source);
    const known = peer.library.entries().find((e) => (spec.id && e.id === spec.id) || (!spec.id && e.v1 === spec.v1));
    if (known) return this.again(known.key, { ...spec, fileName: known.fileName }, request);
    const path = await this.destinationOf(spec, request);
    peer.checkQuota(undefined, spec.size);
    const key = this.addEntry(spec, path, request.peers ?? []);
    if (spec.infoBytes) await peer.library.saveInfo(key, spec.infoBytes);
    if (spec.pieceLayer && spec.piecesRoot && spec.pieceLength) {
      const shape = { piecesRoot: fromHex(spec.piecesRoot), length: spec.size, pieceLength: spec.pieceLength };
      const tree = HashTree.open(peer.library.treePath(key), shape);
      tree.setPieceLayer(0, spec.pieceLayer);
      tree.close();
    }
    await peer.library.flush();
    peer.assertRunning(); // the next start goes on with it
    const runtime = peer.runtimes.adopt(key);
    runtime.download.replaceExisting = request.force === true;
    if (toPlay) runtime.stream.expectReader();
    void this.keepPicture(key).catch(() => undefined); // the video is worth having without
    await runtime.download.start();
    return { key };
  }

  /** Resolves when it is whole, and where it was asked for; rejects when it fails or is stopped. */
  async result(key: string): Promise<DownloadResult> {
    return this.copies.get(key) ?? (await this.peer.runtime(key).download.result());
  }

  private readSource(source: string): Promise<DownloadSpec> {
    const { library, catalog, contacts, friendLinks, grantKeeper } = this.peer;
    return readDownloadSource(source, {
      recordsOf: async (id) => {
        if (catalog.recordsAtHand(id).length === 0) await friendLinks.refresh(FRIENDS_WAIT_MS);
        return catalog.recordsOf(id);
      },
      // What is in the library goes on without its owner.
      recordsFromOwner: async (id, owner, hosts) =>
        library.findById(id) ? [] : grantKeeper.recordsFromOwner(id, owner, hosts),
      isFriend: (fingerprint) => contacts.isFriend(fingerprint),
    });
  }

  private addEntry(spec: DownloadSpec, path: string, peers: string[]): string {
    const entry = this.peer.library.add({
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
      ...this.grantFor(spec),
      shared: true,
      state: "downloading",
      owner: spec.owner,
      ownerFingerprint: spec.ownerFingerprint,
      sequence: spec.sequence,
      ...mediaFacts(spec),
      peers: spec.ownerFingerprint === "" ? [...spec.peers, ...peers] : spec.peers,
      trackers: spec.trackers,
    });
    return entry.key;
  }

  /** Our leave to have a video for friends, as the library keeps it. */
  private grantFor({ audience, id, ownerFingerprint }: DownloadSpec): { grant?: string } {
    const isKept = audience === "friends" && id && ownerFingerprint;
    const held = isKept ? this.peer.grants.get(ownerFingerprint, id) : undefined;
    return held ? { grant: Buffer.from(held.bytes).toString("base64") } : {};
  }

  /** The picture of a video stays when those who offered it are gone. */
  private async keepPicture(key: string): Promise<void> {
    const { peer } = this;
    const picture = await pictureOf(peer, { key });
    peer.assertRunning();
    if (picture) peer.library.update(key, { thumbnail: picture.data });
  }

  /** It is in the library: goes on, is fetched anew where its file is gone, or is copied to where it is wanted. */
  private async again(key: string, spec: DownloadSpec, request: DownloadRequest): Promise<{ key: string }> {
    const { library, clock } = this.peer;
    const runtime = this.peer.runtime(key);
    runtime.download.replaceExisting = request.force === true;
    this.copies.delete(key);
    if (runtime.entry.state === "ready") await runtime.checkFile();
    const { state, origin, path, size } = runtime.entry;
    const gone = state === "fileMissing" || state === "fileChanged";
    if (state === "ready") {
      const target = request.out ? await this.destinationOf(spec, request) : path;
      if (target === path) return { key };
      const begun = clock.now();
      await copyFile(path, target, { force: request.force === true });
      this.copies.set(key, { path: target, bytes: size, seconds: (clock.now() - begun) / 1000 });
    } else if (gone && origin === "obtained") {
      this.peer.checkQuota(key, size);
      const target = await this.destinationOf(spec, request);
      library.update(key, { path: target, partPath: `${target}.part`, mtimeMs: undefined });
      await runtime.download.start();
    } else if (state !== "hashing") {
      // Another place than before: the data stays where it is until it is whole.
      if (request.out) library.update(key, { path: await this.destinationOf(spec, request) });
      if (!runtime.isDownloading) {
        this.peer.checkQuota(key, size);
        await runtime.download.start();
      }
    }
    return { key };
  }

  private async destinationOf(spec: DownloadSpec, request: DownloadRequest): Promise<string> {
    const path = await destinationOf(downloadsDirOf(this.peer.config), spec.fileName, request);
    this.peer.assertRunning(); // nothing is begun by a peer that has been stopped while the source was looked up
    return path;
  }
}
