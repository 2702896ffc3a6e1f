/**
 * Every id that package.json contributes, typed once. A unit test holds both lists against each other, so that neither can
 * have a command, view or setting that the other lacks. No `vscode` here: the test runs in plain Node.
 */
import { PROFILE_SETTINGS, type ProfileSettings } from "../rpc/profileSettings";

export const VIEW_CONTAINER = "streamlet";

export const Views = {
  videos: "streamlet.videos",
  network: "streamlet.network",
  peers: "streamlet.peers",
} as const;
export type View = (typeof Views)[keyof typeof Views];

export const COMMANDS = [
  // profile
  "streamlet.createProfile",
  "streamlet.selectProfile",
  "streamlet.startProfile",
  "streamlet.stopProfile",
  "streamlet.editProfile",
  "streamlet.deleteProfile",
  "streamlet.resetData",
  "streamlet.renewIdentity",
  "streamlet.useNextFreePort",
  // my videos
  "streamlet.uploadVideo",
  "streamlet.publish",
  "streamlet.stopSharing",
  "streamlet.editInfo",
  "streamlet.play",
  "streamlet.stream",
  "streamlet.saveToDevice",
  "streamlet.removeVideo",
  "streamlet.deleteVideo",
  "streamlet.revealInFileManager",
  "streamlet.copyLink",
  "streamlet.copyMagnetLink",
  // downloads
  "streamlet.download",
  "streamlet.openLink",
  "streamlet.cancelDownload",
  "streamlet.pause",
  "streamlet.resume",
  "streamlet.limitSpeed",
  "streamlet.recheck",
  "streamlet.checkFile",
  // network and peers
  "streamlet.refresh",
  "streamlet.searchNetwork",
  "streamlet.clearSearch",
  "streamlet.sortNetwork",
  "streamlet.showMore",
  "streamlet.startTrackerHere",
  "streamlet.connectManually",
  "streamlet.connectPeer",
  "streamlet.disconnect",
  "streamlet.copyFingerprint",
  // details and filters
  "streamlet.showDetails",
  "streamlet.filterNetwork",
  "streamlet.clearFilters",
  "streamlet.saveTorrentFile",
  // people
  "streamlet.addFriend",
  "streamlet.addFriendByContact",
  "streamlet.removeFriend",
  "streamlet.blockPeer",
  "streamlet.unblockPeer",
  "streamlet.copyContact",
  "streamlet.browseVideos",
  "streamlet.openChat",
  // the rest
  "streamlet.openSettings",
  "streamlet.openNativeSettings",
  "streamlet.connectionDoctor",
  "streamlet.openWalkthrough",
  "streamlet.showActions",
  "streamlet.showLog",
] as const;
export type Command = (typeof COMMANDS)[number];

/** Types of the settings; package.json holds their defaults, bounds and scopes. */
export interface Settings extends ProfileSettings {
  "streamlet.startOnLaunch": boolean;
  "streamlet.defaultTrackers": string[];
  "streamlet.downloadsFolder": string;
  "streamlet.library.copyOnUpload": boolean;
  "streamlet.ffmpegPath": string;
  "streamlet.player.convert": "ask" | "always" | "never";
}
export type Setting = keyof Settings;
export const SETTINGS = [
  "streamlet.startOnLaunch",
  "streamlet.defaultTrackers",
  "streamlet.downloadsFolder",
  "streamlet.library.copyOnUpload",
  "streamlet.ffmpegPath",
  "streamlet.player.convert",
  ...PROFILE_SETTINGS,
] as const satisfies readonly Setting[];

/** Keys of `when` clauses. */
export interface ContextKeys {
  /** `HostPhase` of host/snapshots.ts */
  "streamlet.phase": string;
  /** Code of the error that keeps the profile from starting, or "". */
  "streamlet.failure": string;
  /** `NetworkCondition` of views/conditions.ts */
  "streamlet.networkState": string;
  /** The profile's only tracker is the default one of this computer, so that a sentence can name it. */
  "streamlet.localTracker": boolean;
  "streamlet.searching": boolean;
  /** A filter of the Network view is on. */
  "streamlet.filtering": boolean;
  /** Some upload, or some download, is whole: steps of the walkthrough are done by it. */
  "streamlet.hasUploads": boolean;
  "streamlet.hasDownloads": boolean;
}
export type ContextKey = keyof ContextKeys;
export const CONTEXT_KEYS = [
  "streamlet.phase",
  "streamlet.failure",
  "streamlet.networkState",
  "streamlet.localTracker",
  "streamlet.searching",
  "streamlet.filtering",
  "streamlet.hasUploads",
  "streamlet.hasDownloads",
] as const satisfies readonly ContextKey[];

/** Id of the walkthrough, without the extension's. */
export const WALKTHROUGH = "firstSteps";

/** By extension, as product.md lists them; whether the content is a video is for the engine to say. */
export const VIDEO_EXTENSIONS = ["mp4", "m4v", "mov", "mkv", "webm", "avi", "flv"] as const;
