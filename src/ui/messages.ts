/** Every error code as a sentence that says what to do. The compiler sees to it that no code is forgotten. */
import { l10n } from "vscode";
import type { ErrorCode, ErrorData, ErrorInfo } from "../wire/errors";
import { formatBytes } from "./format";

type Sentence = (data: ErrorData, message: string) => string;

const asTold: Sentence = (_, message) => message;

const SENTENCES: Record<ErrorCode, Sentence> = {
  "bad-bencode": () => l10n.t("The file or the answer is damaged: ask for it again."),
  "bad-metainfo": () => l10n.t("The torrent's description is damaged: ask the owner for a new link or file."),
  "bad-message": () =>
    l10n.t("The other side sent something that is not the Streamlet protocol. Is the address right?"),
  "bad-handshake": () =>
    l10n.t("Whoever answers at this address does not speak Streamlet or BitTorrent. Check host and port."),
  "bad-record": () =>
    l10n.t("The description of this video is not valid, so it was refused. Ask the owner to share it again."),
  "bad-signature": () =>
    l10n.t("The signature of this video does not belong to its owner, so it was refused. Ask the owner for a link."),
  "bad-link": () => l10n.t("This is not a Streamlet or magnet link. Copy the whole link and try again."),
  "frame-too-large": () => l10n.t("The other side sent more than the protocol allows; the connection was closed."),

  "port-in-use": ({ port }) => portInUse(port),
  "port-forbidden": ({ port }) =>
    l10n.t(
      "This system does not let you listen on port {0}. Choose one from 1024 to 65535 in the profile.",
      text(port),
    ),
  "wrong-identity": () =>
    l10n.t("Somebody else answers at this address: the key is not the one that was expected. Nothing was sent."),
  "connection-refused": ({ address }) =>
    address
      ? l10n.t("Nothing listens at {0}. Is the other person's profile running, and the port right?", text(address))
      : l10n.t("Nothing listens at this address. Is the other person's profile running, and the port right?"),
  "connection-timeout": ({ address }) =>
    address
      ? l10n.t(
          "{0} does not answer. A firewall or router may be in between: forward the port, or try another address.",
          text(address),
        )
      : l10n.t(
          "The other side does not answer. A firewall or router may be in between: forward the port, or try another address.",
        ),
  "connection-lost": asTold,
  unreachable: ({ port }) =>
    port
      ? l10n.t(
          "Neither side can be reached from outside: forward port {0} on your router, or ask the other person to.",
          text(port),
        )
      : l10n.t(
          "Neither side can be reached from outside: forward your port on the router, or ask the other person to.",
        ),

  "tracker-unreachable": ({ address }) =>
    address
      ? l10n.t("No tracker answers at {0}. Start one, or edit the profile.", text(address))
      : l10n.t("The tracker does not answer. Start one, or edit the profile."),
  "tracker-protocol": ({ address }) =>
    address
      ? l10n.t("What answers at {0} is not a Streamlet tracker. Check host and port in the profile.", text(address))
      : l10n.t("What answers there is not a Streamlet tracker. Check host and port in the profile."),
  "tracker-refused": (_, message) => l10n.t("The tracker refused: {0}", message),
  "name-taken": ({ name, peerId }) =>
    l10n.t(
      "The Peer ID {0} belongs to somebody else on this tracker. Choose another one in the profile.",
      text(name ?? peerId ?? ""),
    ),
  "name-invalid": () => l10n.t("The tracker does not accept this Peer ID. Choose another one in the profile."),
  "access-denied": () =>
    l10n.t(
      "The tracker wants an access token: add ?token=… to its address in the profile, as its operator gave it to you.",
    ),
  "clock-skew": () =>
    l10n.t("The clock of this computer is wrong by more than the tracker accepts. Set it and try again."),
  "rate-limited": () => l10n.t("Too many requests for the moment; Streamlet slows down and goes on by itself."),
  "too-many": asTold,

  "unknown-video": ({ friends }) =>
    friends
      ? l10n.t(
          "This video is for friends of its owner, and is not offered to you. Ask its owner to add you as a friend.",
        )
      : l10n.t("Nobody offers this video now. Its owner may be offline, or may have stopped sharing it."),
  "not-a-video": ({ path }) => l10n.t("{0} is not a video, although its name says so.", fileName(path)),
  "unsupported-format": ({ path }) =>
    l10n.t("{0} cannot be shared: Streamlet takes MP4, M4V, MOV, MKV, WebM, AVI and FLV.", fileName(path)),
  "multi-file-torrent": () => l10n.t("This torrent holds several files; Streamlet takes torrents of one video."),
  "refused-video": asTold,
  "empty-file": ({ path }) => l10n.t("{0} is empty. Is it still being written?", fileName(path)),
  "file-missing": ({ path }) =>
    l10n.t("{0} is not there any more. Put it back, or remove the video from the library.", fileName(path)),
  "file-changed": ({ path }) =>
    l10n.t(
      "{0} is not the file that was shared: it changed. Remove it from the library and upload it again.",
      fileName(path),
    ),
  "file-exists": ({ path }) => l10n.t("{0} exists already. Choose another name.", fileName(path)),
  "file-unreadable": ({ path }) => l10n.t("{0} cannot be read. Check its permissions.", fileName(path)),
  "disk-full": () => l10n.t("The disk is full. Make room and choose Resume; what has arrived is kept."),
  "quota-exceeded": ({ needed, used, quota }) =>
    l10n.t(
      "This video needs {0}, and downloaded videos take {1} of the {2} that are allowed. Raise the disk quota in the settings, or remove downloaded videos together with their files.",
      bytes(needed),
      bytes(used),
      bytes(quota),
    ),
  "ffmpeg-missing": () =>
    l10n.t("ffmpeg was not found. Install it, or name its path in the settings, or share the video as it is."),
  "ffmpeg-failed": (_, message) =>
    l10n.t("{0} Share the video as it is, or choose Resume to try again.", message.trim().replace(/[.!]?$/, ".")),
  "edit-conflict": () =>
    l10n.t("The video was changed in another window meanwhile. Look at what is there now, then save again."),
  "write-failed": asTold,
  "no-sources": ({ friends }) =>
    friends
      ? l10n.t("This video is for friends of its owner, who cannot be reached now. Try again when they are online.")
      : l10n.t("Nobody who has this video is online. The download goes on as soon as somebody is."),
  "bad-block": () => l10n.t("A peer sent wrong data; it was thrown away and the peer is banned."),
  "metadata-unavailable": () =>
    l10n.t("Nobody could send the description of this video. Try again when its owner is online."),

  "data-folder-in-use": ({ pid }) =>
    pid
      ? l10n.t(
          "Another program (process {0}) uses the data of this profile. Close it, then start the profile again.",
          text(pid),
        )
      : l10n.t("Another program uses the data of this profile. Close it, then start the profile again."),
  "profile-damaged": () => l10n.t("The profile cannot be read. Reset its data, or delete it and create a new one."),
  "profile-missing": () => l10n.t("That profile does not exist any more. Create or select another one."),
  "identity-missing": () =>
    l10n.t(
      "The key of this profile is not in the keychain any more. Make a new key (others will see a new fingerprint), or delete the profile.",
    ),
  "library-damaged": () =>
    l10n.t("The library of this profile is damaged. Reset Data sets it aside; downloaded files stay."),

  "invalid-argument": asTold,
  "not-running": () => l10n.t("No profile is running. Start one first."),
  cancelled: () => l10n.t("Cancelled."),
  internal: (_, message) => l10n.t("Something unexpected went wrong: {0} (the log says more)", message),
};

export function explain(info: ErrorInfo): string {
  return SENTENCES[info.code](info.data ?? {}, info.message);
}

function portInUse(port: ErrorData[string] | undefined): string {
  const airPlay = process.platform === "darwin" && (port === 5000 || port === 7000);
  return airPlay
    ? l10n.t(
        "Port {0} is used by another program. On macOS that is usually AirPlay Receiver (System Settings › General › AirDrop & Handoff).",
        text(port),
      )
    : l10n.t("Port {0} is used by another program.", text(port));
}

function text(value: ErrorData[string] | undefined): string {
  return value === undefined ? "?" : String(value);
}

function bytes(value: ErrorData[string] | undefined): string {
  return typeof value === "number" ? formatBytes(value) : "?";
}

function fileName(path: ErrorData[string] | undefined): string {
  return typeof path === "string" ? (path.split(/[\\/]/).pop() ?? path) : l10n.t("The file");
}
