/** Contract between the engine (worker thread) and everything that shows it: the owner window, follower windows. */
import type {
  Audience,
  ChatPage,
  Check,
  Contact,
  FileFacts,
  LibraryVideo,
  ManualConnection,
  MediaTools,
  NetworkPage,
  NetworkQuery,
  PeerStatus,
  PeersPage,
  Playback,
  Snapshot,
  Thumbnail,
  VideoDetails,
} from "../peer/status";
import type { SnapshotMessage } from "./stateStream";

/** What can be changed while a peer runs. 0 = no limit (rates, quota) or the default (counts). */
export interface Limits {
  /** Bytes per second. */
  uploadLimit: number;
  downloadLimit: number;
  maxConnections: number;
  uploadSlots: number;
  /** Bytes. */
  diskQuota: number;
}

/** Bytes per second. */
export type VideoLimits = Pick<Limits, "uploadLimit" | "downloadLimit">;

export interface RecheckResult {
  /** 0: all of it is right. */
  wrongBytes: number;
}

export interface PeerConfig {
  /** 1-32 characters, letters, digits, `_`, `-`, `.` */
  peerId: string;
  /** PKCS#8 PEM of the ECDSA P-256 key. */
  privateKey: string;
  /** 0 = any free port. */
  port: number;
  /** Address to listen on; all interfaces when absent. */
  host?: string;
  /** host:port, ws://host:port, wss://host:port, each with optional ?token=... */
  trackers: string[];
  /** Library, resume data, hash trees. Exclusive to one running engine. */
  dataDir: string;
  /** Where obtained videos go; default `<dataDir>/downloads`. */
  downloadsDir?: string;
  /** Bytes per second, 0 or absent = unlimited. */
  uploadLimit?: number;
  downloadLimit?: number;
  copyOnUpload?: boolean;
  /** Open wire connections in all; 0 or absent = the default of limits.ts. */
  maxConnections?: number;
  /** Peers that are served at a time, in all; 0 or absent = the default. */
  uploadSlots?: number;
  /** Bytes that obtained videos may take on disk; 0 or absent = unlimited. */
  diskQuota?: number;
  /** Absolute path of ffmpeg; absent: the one on the PATH, if any. */
  ffmpegPath?: string;
  /** Peers to connect to by hand at start: host:port, or a contact with an address (contact.ts), which takes no other key. */
  connect?: string[];
}

export interface UploadRequest {
  path: string;
  title?: string;
  description?: string;
  audience: Audience;
  /** Offer it to others as soon as it is hashed. */
  share: boolean;
  /** A picture of it (the form made it): base64 of a WebP or JPEG of at most 16 KiB. Otherwise ffmpeg makes one, when it is there. */
  thumbnail?: string;
  /** Shares a smaller copy (H.264/AAC, fast start) instead of the file; needs ffmpeg. Value: height in pixels. */
  optimise?: 720 | 1080;
}

export interface EditedInfo {
  title: string;
  description: string;
  /** Another picture: as in `UploadRequest`. */
  thumbnail?: string;
  /** What was there when the editing began: where it is not any more, nothing is changed and edit-conflict is the answer. */
  was?: { title: string; description: string };
}

export interface DownloadRequest {
  /** 64 hex digits, a streamlet link of any editor's scheme, a magnet link, or the path of a .torrent file. */
  source: string;
  /** Folder or new file; default the downloads folder. */
  out?: string;
  /** Replace an existing file. */
  force?: boolean;
  /** BitTorrent clients to ask besides those that the source names, host:port; for torrents and magnet links without an owner. */
  peers?: string[];
}

/** Every rejection is a `StreamletError` (or carries its ErrorInfo over the border). */
export interface PeerService {
  /** A fresh key; nothing is stored. */
  createIdentity(): Promise<{ privateKey: string; fingerprint: string }>;
  /** Errors: port-in-use (data.port, data.nextFree), port-forbidden, data-folder-in-use, library-damaged, invalid-argument. */
  start(config: PeerConfig): Promise<PeerStatus>;
  /** Says goodbye to trackers and peers, flushes everything; idempotent. */
  stop(): Promise<void>;
  snapshot(): Promise<Snapshot>;

  /** Checks the file and starts its import; resolves as soon as the entry exists, hashing goes on in the background.
   *  Errors: not-a-video, unsupported-format, empty-file, file-missing, file-unreadable, ffmpeg-missing. */
  upload(request: UploadRequest): Promise<{ key: string }>;
  /** Looks into a file that may be uploaded; never fails. @param path absolute, of the person's own choice */
  inspectFile(path: string, options: { picture: boolean }): Promise<FileFacts>;
  /** Offers an uploaded or obtained video to others / takes it back. */
  share(key: string, audience: Audience): Promise<void>;
  unshare(key: string): Promise<void>;
  /** Reaches the network as a newer record. Errors: invalid-argument, edit-conflict. */
  editInfo(key: string, info: EditedInfo): Promise<void>;
  /** Takes it out of the library; `deleteFile` also removes a downloaded file (never one referenced in place). */
  remove(key: string, options: { deleteFile: boolean }): Promise<void>;
  /** Copies a whole video to `destination`, visible as a task; `cancelTask` stops it and removes the half copy. */
  saveCopy(key: string, destination: string, options: { force: boolean; taskId?: string }): Promise<void>;
  cancelTask(id: string): Promise<void>;
  /** Its picture: of the library entry `key`, else of the newest record of `id`. Null: none, or not a usable one. */
  thumbnail(of: { key?: string; id?: string }): Promise<Thumbnail | null>;
  /**
   * Sources and pieces of a video of the network or the library; asks trackers, connects to nobody.
   * @param video its id, or its key in the library. Errors: unknown-video.
   */
  details(video: string): Promise<VideoDetails>;
  /** The .torrent file of a public video. Errors: unknown-video, invalid-argument (not public, or not hashed yet). */
  torrentFile(key: string): Promise<{ fileName: string; data: string }>;
  mediaTools(): Promise<MediaTools>;

  /** Starts (or resumes) a download. Errors: unknown-video, bad-link, file-exists, no-sources ... */
  download(request: DownloadRequest): Promise<{ key: string }>;
  pause(key: string): Promise<void>;
  resume(key: string): Promise<void>;
  /**
   * Verifies everything that is on disk of it again (state `checking`) and resolves when that is done. What is wrong of an obtained
   * video is fetched anew; `pause` or `cancel` ends the check of a whole one.
   * Errors: invalid-argument (being prepared), cancelled, file-changed (a file that is not ours to mend), file-missing.
   */
  recheck(key: string): Promise<RecheckResult>;
  /** Stops a download, an import or a check, and removes what the first two have left. */
  cancel(key: string): Promise<void>;
  /**
   * An address on this computer's loopback at which any player can watch it, while it downloads; a video that is not in the
   * library, or whose download was paused, begins to download. @param source library key, or as `DownloadRequest.source`
   * @param origin of the page that plays it (CORS). Errors: those of `download`, invalid-argument (still being prepared), file-missing.
   * `video` is what is known of it now: the next snapshot, which has it too, may come a quarter of a second later.
   */
  openStream(source: string, origin?: string): Promise<{ id: string; key: string; url: string; video: LibraryVideo }>;
  /** Ends it and what is being read of it; the download goes on. Idempotent. */
  closeStream(id: string): Promise<void>;
  /** Can videos be converted while they play? Where ffmpeg is there. */
  canConvert(): Promise<boolean>;
  /**
   * Whoever watches has agreed that ffmpeg reads this video, which may be somebody else's: from now on its address also answers
   * `?convert=1&from=<seconds>` as docs/protocol.md says. Errors: invalid-argument (no such stream).
   */
  allowConversion(streamId: string): Promise<void>;
  /** A page of this origin, and of no other, may read what the stream's address answers (CORS). Errors: invalid-argument (no such stream). */
  allowOrigin(streamId: string, origin: string): Promise<void>;
  /** Where somebody stopped watching it, if anybody did. */
  playback(key: string): Promise<Playback | null>;
  savePlayback(key: string, playback: Playback): Promise<void>;
  /** @param video key of the library, or id of the network. Errors: unknown-video, invalid-argument (not hashed yet). */
  link(video: string): Promise<{ link: string; magnet: string | null }>;

  queryNetwork(query: NetworkQuery): Promise<NetworkPage>;
  queryPeers(query: { limit: number }): Promise<PeersPage>;
  /** Asks trackers and connected peers again now; resolves when they have answered or after 5 s. */
  refresh(): Promise<void>;
  /**
   * Connects by hand, and again whenever the connection is lost. @param address host:port, or a contact with an address, which
   * takes no other key. Errors: connection-refused, connection-timeout, wrong-identity, invalid-argument, too-many ...
   */
  connect(address: string): Promise<ManualConnection>;
  /** Closes the connection and does not dial again. Idempotent. */
  disconnect(fingerprint: string): Promise<void>;

  /**
   * Pins a key as a friend's. @param contact fingerprint or fingerprint@host:port (contact.ts). Idempotent: a name or address that
   * is given replaces the old one. Ends a block. Errors: invalid-argument (malformed, oneself), too-many.
   */
  addFriend(contact: string, peerId?: string): Promise<Contact>;
  /** Takes effect at once: connections for friends' videos are closed in mid-download. Idempotent. */
  removeFriend(fingerprint: string): Promise<void>;
  /** Ends friendship and all connections; nothing of that key is taken or shown until `unblock`. */
  block(fingerprint: string, peerId?: string): Promise<void>;
  unblock(fingerprint: string): Promise<void>;

  /** Resolves when the message is safe on disk; it is delivered as soon as a connection allows. Errors: invalid-argument, too-many. */
  sendChat(fingerprint: string, text: string): Promise<{ id: string }>;
  /** The newest `limit` messages, or those before the message `before`. limit 1 to 200. */
  chatHistory(fingerprint: string, page: { before?: string; limit: number }): Promise<ChatPage>;
  markChatRead(fingerprint: string): Promise<void>;
  deleteChat(fingerprint: string): Promise<void>;

  setLimits(limits: Limits): Promise<void>;
  /** Limits of one video, under those of the profile; kept with it, in force at once. 0 = none of its own. */
  setVideoLimits(key: string, limits: VideoLimits): Promise<void>;
  /**
   * Tests what has to work for people to reach each other; at most 10 s. `cancelTask(taskId)` ends it.
   * Errors: not-running, cancelled.
   */
  diagnose(request: { taskId: string }): Promise<Check[]>;
  /** Releases the name at the trackers (best effort, 3 s), stops, and deletes `dataDir`. Works without a running engine. */
  deleteData(config: PeerConfig): Promise<void>;
}

/** Sent by the engine, coalesced: at most 4 a second, only while something changes. It hears `StateRequests`. */
export interface PeerServiceEvents {
  onDidChange(message: SnapshotMessage): void;
}
