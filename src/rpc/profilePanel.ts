/** Contract of the "Create Profile" and "Edit Profile" panel, and the rules of its fields, the same on both sides. */
/** What a person decides about a profile; its key is made elsewhere. */
export interface ProfileDraft {
  /** 1 to 32 characters, letters, digits, `_`, `-`, `.`; unique per tracker, compared without case. */
  peerId: string;
  /** TCP port to listen on, 1 to 65535. */
  port: number;
  /** At least one of `host:port`, `ws://host:port`, `wss://host[:port]` (443), each with an optional `?token=...`. */
  trackers: string[];
}

/** A draft as it stands in the form, not yet valid. */
export interface ProfileText {
  peerId: string;
  port: string;
  trackers: string[];
}

export const DEFAULT_PORT = 5000;
export const DEFAULT_TRACKER = "localhost:6000";

/** Characters; the name has to fit one line of a tree and travels in every record. */
export const MAX_PEER_ID_LENGTH = 32;
const MAX_PORT = 65535;
/** Below it, most Unix systems let only administrators listen (IANA's "system ports"). */
const FIRST_UNPRIVILEGED_PORT = 1024;
/** AirPlay Receiver listens on both since macOS 12. */
const MACOS_AIRPLAY_PORTS: readonly number[] = [5000, 7000];
/** A profile keeps a connection open to each of them. */
export const MAX_TRACKERS = 16;
/** Characters: a host name has at most 253, the rest leaves room for a path and a token. */
const MAX_TRACKER_LENGTH = 512;

export const PEER_ID_PROBLEMS = [
  "peerIdEmpty",
  "peerIdTooLong",
  "peerIdCharacters",
  "peerIdDots",
  "peerIdUsed",
] as const;
export const PORT_PROBLEMS = ["portEmpty", "portNotANumber", "portOutOfRange"] as const;
export const PORT_ADVICE = ["portPrivileged", "portAirPlay"] as const;
export const TRACKER_PROBLEMS = [
  "trackerEmpty",
  "trackerTooLong",
  "trackerSpaces",
  "trackerScheme",
  "trackerForm",
  "trackerHost",
  "trackerPortMissing",
  "trackerPort",
  "trackerPath",
  "trackerQuery",
  "trackerRepeated",
] as const;

export type PeerIdProblem = (typeof PEER_ID_PROBLEMS)[number];
export type PortProblem = (typeof PORT_PROBLEMS)[number];
export type PortAdvice = (typeof PORT_ADVICE)[number];
export type TrackerProblem = (typeof TRACKER_PROBLEMS)[number];

/** Checks a Peer ID; `taken` are the names of this installation's other profiles. */
export function validatePeerId(text: string, taken: readonly string[] = []): PeerIdProblem | undefined {
  if (text.length === 0) return "peerIdEmpty";
  if (!/^[A-Za-z0-9_.-]+$/.test(text)) return "peerIdCharacters";
  if (text.length > MAX_PEER_ID_LENGTH) return "peerIdTooLong";
  // Folders are named after Peer IDs: `..` would be the parent folder.
  if (/^\.+$/.test(text)) return "peerIdDots";
  const lower = text.toLowerCase();
  return taken.some((name) => name.toLowerCase() === lower) ? "peerIdUsed" : undefined;
}

export function validatePort(text: string): PortProblem | undefined {
  if (text.length === 0) return "portEmpty";
  if (!/^\d+$/.test(text)) return "portNotANumber";
  const port = Number(text);
  return port >= 1 && port <= MAX_PORT ? undefined : "portOutOfRange";
}

/** What a person should know about a valid port before choosing it; nothing of it forbids the port. */
export function portAdvice(port: number, platform: string): PortAdvice | undefined {
  if (platform === "darwin" && MACOS_AIRPLAY_PORTS.includes(port)) return "portAirPlay";
  return port < FIRST_UNPRIVILEGED_PORT ? "portPrivileged" : undefined;
}

const TRACKER_FORM = /^(?:[^:/?#]+:\/\/)?(\[[^\]/?#]*\]|[^[\]:/?#@\\]*)(?::([^/?#:@]*))?(\/[^?#]*)?(?:\?([^#]*))?$/;

/**
 * Checks one tracker address (protocol.md, "Tracker"); IPv6 addresses stand in brackets. It refuses all that the engine
 * would refuse, and also what the engine would have to guess: a missing port, a query that it does not know.
 * `others` are the trackers before it in the list.
 */
export function validateTracker(text: string, others: readonly string[] = []): TrackerProblem | undefined {
  if (text.length === 0) return "trackerEmpty";
  if (text.length > MAX_TRACKER_LENGTH) return "trackerTooLong";
  if (/\s/.test(text)) return "trackerSpaces";
  const scheme = /^([^:/?#]*):\/\//.exec(text)?.[1]?.toLowerCase();
  if (scheme !== undefined && scheme !== "ws" && scheme !== "wss") return "trackerScheme";
  const parts = TRACKER_FORM.exec(text);
  if (!parts) return "trackerForm";
  const [, host = "", port, path, query] = parts;
  // The platform's own parser knows IPv6, IDNA and the forbidden characters (WHATWG URL, host parsing).
  if (host === "" || !URL.canParse(`ws://${host}`)) return "trackerHost";
  if (port === undefined ? scheme !== "wss" : port === "") return "trackerPortMissing";
  if (port !== undefined && validatePort(port) !== undefined) return "trackerPort";
  if (path !== undefined && path !== "/") return "trackerPath";
  if (query !== undefined && !/^token=[^&]+$/.test(query)) return "trackerQuery";
  const identity = trackerIdentity(text);
  return others.some((other) => trackerIdentity(other) === identity) ? "trackerRepeated" : undefined;
}

/** Two addresses of the same tracker are equal, whatever their token: a second connection there would serve nobody. */
function trackerIdentity(text: string): string {
  const full = /^wss?:\/\//i.test(text) ? text : `ws://${text}`;
  if (!URL.canParse(full)) return text;
  const url = new URL(full);
  return `${url.protocol}//${url.host}`;
}

/** Fields in the order of the form; a field without an entry is valid. */
export interface ProfileProblems {
  peerId?: PeerIdProblem;
  port?: PortProblem;
  /** As long as the list of trackers. */
  trackers: (TrackerProblem | undefined)[];
}

export function validateProfile(text: ProfileText, taken: readonly string[]): ProfileProblems {
  const peerId = validatePeerId(text.peerId, taken);
  const port = validatePort(text.port);
  return {
    ...(peerId && { peerId }),
    ...(port && { port }),
    trackers: text.trackers.map((tracker, index) => validateTracker(tracker, text.trackers.slice(0, index))),
  };
}

/** The valid draft that `text` stands for, else undefined. */
export function toProfileDraft(text: ProfileText, taken: readonly string[]): ProfileDraft | undefined {
  const problems = validateProfile(text, taken);
  if (problems.peerId || problems.port || problems.trackers.some(Boolean)) return undefined;
  if (text.trackers.length < 1 || text.trackers.length > MAX_TRACKERS) return undefined;
  return { peerId: text.peerId, port: Number(text.port), trackers: text.trackers };
}

/** Surrounding blanks come with pasted text and mean nothing. */
export function trimProfile(text: ProfileText): ProfileText {
  return {
    peerId: text.peerId.trim(),
    port: text.port.trim(),
    trackers: text.trackers.map((tracker) => tracker.trim()),
  };
}

/** Texts of a list of trackers, on whatever page it is. */
export type TrackerListStrings = Record<
  | "trackers"
  | "trackersHint"
  | "tracker"
  | "addTracker"
  | "removeTracker"
  | "trackerAdded"
  | "trackerRemoved"
  | TrackerProblem,
  string
>;

/** Texts of the page, in the language of the editor. `{0}` is filled in the page. */
export type ProfileStrings = Record<
  | "heading"
  | "intro"
  | "peerId"
  | "peerIdHint"
  | "port"
  | "portHint"
  | "fingerprint"
  | "fingerprintHint"
  | "keyNote"
  | "copy"
  | "copied"
  | "save"
  | "cancel"
  | PeerIdProblem
  | PortProblem
  | PortAdvice,
  string
> &
  TrackerListStrings;

/** Everything that the page shows; the answer to `ready`. */
export interface ShowProfileMessage {
  type: "show";
  mode: "create" | "edit";
  initial: ProfileDraft;
  fingerprint?: string;
  takenNames: string[];
  /** `process.platform` of the extension host. */
  platform: string;
  /** The host can tell whether a port is free. */
  probesPorts: boolean;
  strings: ProfileStrings;
}

/** Answer to `probePort`: why the port may not work, or nothing. */
export interface PortHintMessage {
  type: "portHint";
  port: number;
  text?: string;
}

export interface FingerprintCopiedMessage {
  type: "fingerprintCopied";
}

export type ToProfilePage = ShowProfileMessage | PortHintMessage | FingerprintCopiedMessage;

/** The page runs (again) and has nothing to show yet. */
export interface ProfileReadyMessage {
  type: "ready";
}

export interface ProbePortMessage {
  type: "probePort";
  port: number;
}

export interface CopyFingerprintMessage {
  type: "copyFingerprint";
}

export interface SubmitProfileMessage {
  type: "submit";
  draft: ProfileDraft;
}

export interface CancelProfileMessage {
  type: "cancel";
}

export type FromProfilePage =
  | ProfileReadyMessage
  | ProbePortMessage
  | CopyFingerprintMessage
  | SubmitProfileMessage
  | CancelProfileMessage;
